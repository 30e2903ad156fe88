//! The national services in front of the simulated Provider.

use super::{Consumer, event, world};
use crate::Failure;
use assurance::consumer_suite::{Certificates, Watching};
use booking::ids::Asid;
use sandbox::watch::Observer;
use sandbox::{Listeners, Ports, Sandbox, Setup, Source};
use std::net::SocketAddr;

/// ASID of the consumer that the generated world knows, the demonstration's.
pub const CONSUMER_ASID: &str = "918999000099";

/// What runs in front.
pub struct Front {
    sandbox: Sandbox,
}

/// The simulated Provider's certificates under `--tls DIR`: those that the sandbox keeps there, made if need be.
pub fn certificates(command: &Consumer) -> Result<Option<Certificates>, Failure> {
    let Some(folder) = &command.tls else {
        return Ok(None);
    };
    let names = world::consumer_names(command.from_asid.as_ref().map(Asid::as_str));
    let files = sandbox::certificates(folder, &names)?;
    Ok(Some(Certificates {
        certificate: files.provider.0,
        key: files.provider.1,
        client_ca: Some(files.ca),
    }))
}

/// Starts SSP, DoS and SDS over a world that holds every scenario.
pub async fn start(
    command: &Consumer,
    address: SocketAddr,
    root: &str,
    watching: Watching,
) -> Result<Front, Failure> {
    let next = |given: Option<u16>, after: u16| {
        given.or(
            match command.listen.as_deref().is_some_and(|l| l.ends_with(":0")) {
                true => Some(0),
                false => address.port().checked_add(after),
            },
        )
    };
    let ports = Ports {
        ssp: next(command.ssp, 1),
        dos: next(command.dos, 2),
        sds: next(command.sds, 3),
    };
    let host = address.ip().to_string();
    let listeners = Listeners::bind(&host, &ports).await?;
    let text = world::text(
        root,
        command.to_asid.as_str(),
        command.from_asid.as_ref().map(Asid::as_str),
    )?;
    let setup = Setup {
        source: Source::File {
            name: "scenarios".to_owned(),
            text,
        },
        provider: None,
        tls: command.tls.clone(),
        observer: Observer::new(move |seen| event(seen).into_iter().for_each(|e| watching.saw(e))),
    };
    let sandbox = Sandbox::start(listeners, setup).await?;
    Ok(Front { sandbox })
}

impl Front {
    /// Where it is reached.
    pub fn told(&self) -> String {
        let at = self.sandbox.addresses();
        let mut text = format!(
            "  SSP            {}\n  DoS            {}/app/api/webservices\n  SDS            {}\n",
            at.ssp, at.dos, at.sds
        );
        if let Some(files) = self.sandbox.certificates() {
            text.push_str(&format!("  Trust          {}\n", files.ca.display()));
            for (name, certificate, key) in &files.consumers {
                text.push_str(&format!(
                    "  {name}: {} and {}\n",
                    certificate.display(),
                    key.display()
                ));
            }
        }
        text
    }

    /// Lets requests under way finish, and ends.
    pub async fn stop(self) {
        self.sandbox.stop().await;
    }
}
