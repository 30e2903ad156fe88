//! The DoS's two answers, taken apart into services (NAT-DOS-04, NAT-DOS-05); `service` reads the fields of one.

use super::listed::Listed;
use super::service::{Service, ServiceDetails};
use super::soap::{Answered, below, child, read, text_of};
use booking::ids::ServiceId;

/// Most services of a list; the DoS gives some ten.
const MAX_SERVICES: usize = 200;

/// CheckCapacitySummaryResponse: the services in their order, each once. What cannot be read is counted and left
/// out; the others are of use.
pub fn services(text: &str) -> Result<Listed, Answered> {
    read(text, |body| {
        let response = child(body, "CheckCapacitySummaryResponse")
            .ok_or("the Body holds no CheckCapacitySummaryResponse")?;
        let mut list = Listed::default();
        let found = &mut list.services;
        let mut nodes = below(response, "serviceCareSummaryDestination");
        for node in nodes.by_ref().take(MAX_SERVICES) {
            match Service::read(node) {
                Some(service) if found.iter().any(|f| f.id == service.id) => {
                    tracing::warn!(service = %service.id, fault_of = "dos", "listed twice; the first counts");
                }
                Some(service) => found.push(service),
                None => {
                    list.left_out.without_id += 1;
                    tracing::warn!(
                        fault_of = "dos",
                        "a service without a proper id is left out"
                    );
                }
            }
        }
        list.left_out.beyond = nodes.count();
        match list.services.is_empty() && list.left_out.count() > 0 {
            // A list of which nothing can be read is no list without services.
            true => Err(format!(
                "none of the {} services has a proper id",
                list.left_out.count()
            )),
            false => Ok(list),
        }
    })
}

/// ServiceDetailsByIdResponse: the service of this id; `None` when it is not among those answered.
pub fn details(text: &str, id: &ServiceId) -> Result<Option<ServiceDetails>, Answered> {
    read(text, |body| {
        let response = child(body, "ServiceDetailsByIdResponse")
            .ok_or("the Body holds no ServiceDetailsByIdResponse")?;
        let found = below(response, "service")
            .take(MAX_SERVICES)
            .find(|node| text_of(*node, "id").as_deref() == Some(id.as_str()));
        Ok(found.map(|node| ServiceDetails::read(node, id)))
    })
}
