//! Renders answers to an ITK message: an acknowledgement, an infrastructure response, or a fault.

use super::read::{Wire, Wrapper};
use super::reason::{Code, Reason};
use jiff::Timestamp;
use quick_xml::escape::escape;
use uuid::Uuid;

/// Code system of ITK error codes.
const ERROR_CODES: &str = "2.16.840.1.113883.2.1.3.2.4.17.268";
/// `wsa:Action` of every SOAP fault.
const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/soap/fault";

/// The "OK" after the commit: `SimpleMessageResponse`, or `InfrastructureResponse` if the sender asked for one.
pub fn acknowledgement(wire: Wire, wrapper: &Wrapper, reporter: &str, at: Timestamp) -> String {
    let tracking = wrapper.tracking.as_deref().unwrap_or("");
    let service = wrapper.service.as_deref().unwrap_or("");
    let body = match wrapper.wants_response {
        false => format!(
            "<itk:SimpleMessageResponse xmlns:itk=\"urn:nhs-itk:ns:201005\">OK:{}</itk:SimpleMessageResponse>",
            escape(tracking)
        ),
        true => format!(
            "<itk:InfrastructureResponse xmlns:itk=\"urn:nhs-itk:ns:201005\" result=\"OK\" timestamp=\"{at:.0}\" \
             trackingIdRef=\"{}\" serviceRef=\"{}\"><itk:reportingIdentity><itk:id uri=\"{}\"/>\
             </itk:reportingIdentity><itk:errors/></itk:InfrastructureResponse>",
            escape(tracking),
            escape(service),
            escape(reporter),
        ),
    };
    let action = format!("{}Response", wrapper.action.as_deref().unwrap_or(service));
    envelope(wire, wrapper, &action, &body)
}

/// A SOAP fault with `ToolkitErrorInfo`. The audit trail and the log have the same `id`.
pub fn fault(wire: Wire, wrapper: &Wrapper, reason: &Reason, id: Uuid) -> String {
    let ours = reason.code == Code::Retryable;
    let said = format!("{}: {}", reason.code.meaning(), reason.text);
    let info = format!(
        "<itk:ToolkitErrorInfo xmlns:itk=\"urn:nhs-itk:ns:201005\"><itk:ErrorID>{}</itk:ErrorID>\
         <itk:ErrorCode codeSystem=\"{ERROR_CODES}\">{}</itk:ErrorCode><itk:ErrorText>{}</itk:ErrorText>\
         <itk:ErrorDiagnosticText>{}</itk:ErrorDiagnosticText></itk:ToolkitErrorInfo>",
        id.to_string().to_ascii_uppercase(),
        reason.code.number(),
        escape(&reason.text),
        escape(reason.code.meaning()),
    );
    let body = match wire {
        Wire::Soap12 => format!(
            "<soap:Fault><soap:Code><soap:Value>soap:{}</soap:Value></soap:Code><soap:Reason>\
             <soap:Text xml:lang=\"en\">{}</soap:Text></soap:Reason><soap:Detail>{info}</soap:Detail></soap:Fault>",
            if ours { "Receiver" } else { "Sender" },
            escape(&said),
        ),
        _ => format!(
            "<soap:Fault><faultcode>soap:{}</faultcode><faultstring>{}</faultstring><detail>{info}</detail>\
             </soap:Fault>",
            if ours { "Server" } else { "Client" },
            escape(&said),
        ),
    };
    envelope(wire, wrapper, FAULT_ACTION, &body)
}

fn envelope(wire: Wire, wrapper: &Wrapper, action: &str, body: &str) -> String {
    let namespace = match wire {
        Wire::Soap12 => "http://www.w3.org/2003/05/soap-envelope",
        _ => "http://schemas.xmlsoap.org/soap/envelope/",
    };
    let relates = wrapper
        .message_id
        .as_deref()
        .map(|id| format!("<wsa:RelatesTo>{}</wsa:RelatesTo>", escape(id)))
        .unwrap_or_default();
    let id = Uuid::new_v4().to_string().to_ascii_uppercase();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"{namespace}\" \
         xmlns:wsa=\"http://www.w3.org/2005/08/addressing\"><soap:Header><wsa:MessageID>{id}</wsa:MessageID>\
         <wsa:Action>{}</wsa:Action>{relates}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>",
        escape(action)
    )
}
