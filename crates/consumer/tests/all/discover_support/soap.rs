//! Answers of a directory of services, in the form of the published description.

/// An envelope around a body.
pub fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<env:Envelope \
         xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:ns1=\"https://nww.pathwaysdos.nhs.uk/app/api/webservices\"><env:Body>{body}</env:Body></env:Envelope>"
    )
}

/// The answer to a search, with these destinations.
pub fn summary(destinations: &str) -> String {
    envelope(&format!(
        "<ns1:CheckCapacitySummaryResponse><ns1:TransactionId>t</ns1:TransactionId>\
         <ns1:CheckCapacitySummaryResult>{destinations}</ns1:CheckCapacitySummaryResult>\
         </ns1:CheckCapacitySummaryResponse>"
    ))
}

/// One destination with this inside.
pub fn destination(id: &str, inner: &str) -> String {
    format!(
        "<ns1:serviceCareSummaryDestination><ns1:id>{id}</ns1:id>{inner}</ns1:serviceCareSummaryDestination>"
    )
}

/// An attribute.
pub fn attribute(name: &str, value: &str) -> String {
    format!(
        "<ns1:attribute><ns1:dataType>Boolean</ns1:dataType><ns1:name>{name}</ns1:name>\
         <ns1:value>{value}</ns1:value></ns1:attribute>"
    )
}

/// A fault.
pub fn fault(code: u16, text: &str) -> String {
    envelope(&format!(
        "<env:Fault><env:Code><env:Value>{code}</env:Value></env:Code>\
         <env:Reason><env:Text xml:lang=\"en\">{text}</env:Text></env:Reason></env:Fault>"
    ))
}
