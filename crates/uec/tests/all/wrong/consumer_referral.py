"""The referral: a clinical document in an ITK envelope, which names the appointment and is named by it."""

import datetime
import urllib.request
import uuid

from consumer_faults import on

SERVICE = "urn:nhs-itk:services:201005:SendNHS111Report-v2-0"
PROFILE = "urn:nhs-en:profile:nhs111CDADocument-v2-0"
TEMPLATES = "2.16.840.1.113883.2.1.3.2.4.18"
CLASS = 'classCode="{}" determinerCode="INSTANCE"'


def stamp(moment, form="%Y%m%d%H%M%S+00"):
    return moment.astimezone(datetime.timezone.utc).strftime(form)


def reference(url, start):
    """The appointment as coded entry, inside the section of the outcome (REF-CON-04)."""
    return (
        '<entry typeCode="COMP" contextConductionInd="true">'
        f'<npfitlc:contentId root="{TEMPLATES}.16" extension="COCD_TP146093GB01#AppointmentReference"/>'
        '<encounter classCode="ENC" moodCode="APT">'
        f'<templateId root="{TEMPLATES}.2" extension="COCD_TP146093GB01#AppointmentReference"/>'
        f'<id root="2.16.840.1.113883.2.1.3.2.4.17.541" extension="{url}"/>'
        '<code code="01" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.542" displayName="Patient convenience appointment"/>'
        f'<effectiveTime value="{stamp(start, "%Y%m%d%H%M+00")}"/></encounter></entry>')


def section(title, text, inner=""):
    name = "COCD_TP146246GB01#Section1"
    return (
        '<component typeCode="COMP" contextConductionInd="true">'
        f'<npfitlc:contentId root="{TEMPLATES}.16" extension="{name}"/><section classCode="DOCSECT" moodCode="EVN">'
        f'<templateId root="{TEMPLATES}.2" extension="{name}"/><id root="{str(uuid.uuid4()).upper()}"/>'
        f"<title>{title}</title><text>{text}</text>{inner}</section></component>")


def document(ident, patient, ods, recipient, booking):
    """The CDA; `booking` is (url, start) or nothing."""
    moment = datetime.datetime.now(datetime.timezone.utc)
    outcome, link = "", ""
    if booking:
        outcome = reference(*booking)
        link = section("Booked appointment", f'<linkHtml href="{booking[0]}">Appointment</linkHtml>')
    if on("referral-without-link"):
        outcome, link = "", ""
    party = f'<id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="{{}}"/><name>{{}}</name>'
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation" classCode="DOCCLIN" moodCode="EVN">'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        f'<npfitlc:messageType root="{TEMPLATES}.17" extension="POCD_MT200001GB02"/><id root="{ident.upper()}"/>'
        '<code code="819551000000100" codeSystem="2.16.840.1.113883.2.1.3.2.4.15" '
        'displayName="Integrated Urgent Care Report"/><title>Integrated Urgent Care Report</title>'
        f'<effectiveTime value="{stamp(moment)}"/><confidentialityCode code="N" codeSystem="2.16.840.1.113883.1.11.16926"/>'
        f'<setId root="{ident.upper()}"/><versionNumber value="1"/>'
        '<recordTarget typeCode="RCT" contextControlCode="OP"><patientRole classCode="PAT">'
        f'<id root="2.16.840.1.113883.2.1.4.1" extension="{patient.number}"/>'
        f'<patient {CLASS.format("PSN")}><name><given>Robin</given><family>{patient.family}</family></name></patient>'
        '</patientRole></recordTarget><author typeCode="AUT" contextControlCode="OP">'
        f'<time value="{stamp(moment)}"/><assignedAuthor classCode="ASSIGNED"><id nullFlavor="NI"/>'
        f'<representedOrganization {CLASS.format("ORG")}>{party.format(ods, "Fernhill 111")}</representedOrganization>'
        '</assignedAuthor></author><informationRecipient typeCode="PRCP"><intendedRecipient classCode="ASSIGNED">'
        f'<receivedOrganization {CLASS.format("ORG")}>{party.format(recipient, "Receiving service")}</receivedOrganization>'
        '</intendedRecipient></informationRecipient><component typeCode="COMP" contextConductionInd="true">'
        '<structuredBody classCode="DOCBODY" moodCode="EVN">'
        f'{section("Outcome of the triage", "<paragraph>Earache since yesterday</paragraph>", outcome)}{link}'
        "</structuredBody></component></ClinicalDocument>")


def send(address, ident, patient, ods, recipient, booking, patience):
    """Sends the document; the status of the answer."""
    tracking = str(uuid.uuid4()).upper()
    cda = document(ident, patient, ods, recipient, booking)
    item, sender = f"uuid_{ident.upper()}", f"urn:nhs-uk:addressing:ods:{ods}"
    envelope = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing"'
        ' xmlns:itk="urn:nhs-itk:ns:201005"><soap:Header>'
        f"<wsa:MessageID>{tracking}</wsa:MessageID><wsa:Action>{SERVICE}</wsa:Action><wsa:To>{address}</wsa:To>"
        f"<wsa:From><wsa:Address>{sender}</wsa:Address></wsa:From></soap:Header><soap:Body><itk:DistributionEnvelope>"
        f'<itk:header service="{SERVICE}" trackingid="{tracking}"><itk:addresslist>'
        f'<itk:address uri="urn:nhs-uk:addressing:ods:{recipient}"/></itk:addresslist><itk:auditIdentity>'
        f'<itk:id uri="urn:nhs-uk:identity:ods:{ods}"/></itk:auditIdentity><itk:manifest count="1">'
        f'<itk:manifestitem id="{item}" mimetype="text/xml" profileid="{PROFILE}" base64="false" compressed="false" '
        f'encrypted="false"/></itk:manifest><itk:senderAddress uri="{sender}"/></itk:header><itk:payloads count="1">'
        f'<itk:payload id="{item}">{cda}</itk:payload></itk:payloads></itk:DistributionEnvelope></soap:Body></soap:Envelope>')
    request = urllib.request.Request(address, envelope.encode(), {
        "Content-Type": "text/xml;charset=utf-8", "SOAPAction": f'"{SERVICE}"'})
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        print("    " + error.read(1000).decode(errors="replace"))
        return error.code
    except OSError:
        return None
