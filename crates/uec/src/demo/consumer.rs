//! Files that the tour's `uec consumer` commands name: settings and a patient.

use super::tour::{Certificates, Tour};
use ::sandbox::world::Addresses;
use consumer::config::{ConsumerConfig, DemoAddresses, Tls};
use std::path::Path;

/// Name of the settings file in the demo's folder.
pub const SETTINGS: &str = "consumer.toml";
/// Name of the patient's file in the demo's folder.
pub const PATIENT: &str = "patient.toml";

/// The settings of the demonstration's consumer.
pub fn settings(
    addresses: &Addresses,
    certificates: Option<&Certificates>,
) -> Result<ConsumerConfig, String> {
    let addresses = DemoAddresses {
        dos: addresses.dos.clone(),
        sds: addresses.sds.clone(),
        ssp: addresses.ssp.clone(),
    };
    let settings = match certificates {
        None => ConsumerConfig::demo(&addresses),
        Some(c) => {
            let tls = Tls {
                ca: c.ca.clone(),
                identity: Some((c.certificate.clone(), c.key.clone())),
            };
            ConsumerConfig::demo_with_tls(&addresses, &tls)
        }
    };
    settings.map_err(|e| e.to_string())
}

/// Writes the files.
pub fn write(tour: &Tour) -> Result<(), String> {
    let text = |path: &Path| path.display().to_string();
    let mut file = ConsumerConfig::demo_file().to_owned();
    let a = &tour.addresses;
    let journal = text(&tour.data.join("consumer.sqlite"));
    let quoted = |value: &str| toml::Value::from(value).to_string();
    file = format!("journal = {}\n{}", quoted(&journal), file.trim_start());
    let dos = format!("[dos]\nurl = {}\n\n[dos.clinician]", quoted(&a.dos));
    file = file.replacen("[dos.clinician]", &dos, 1);
    file.push_str(&format!(
        "\n[sds]\nurl = {}\n\n[ssp]\nurl = {}\n",
        quoted(&a.sds),
        quoted(&a.ssp)
    ));
    if let Some(c) = &tour.certificates {
        file.push_str(&format!(
            "\n[tls]\nca = {}\ncertificate = {}\nkey = {}\n",
            quoted(&text(&c.ca)),
            quoted(&text(&c.certificate)),
            quoted(&text(&c.key))
        ));
    }
    save(&tour.data.join(SETTINGS), &file)?;
    save(&tour.data.join(PATIENT), PATIENT_FILE)
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// An invented patient with a number of the never-issued range.
pub const PATIENT_FILE: &str = r#"# A synthetic patient.
description = "Sore throat and fever"

[patient]
nhs_number = "9990123454"
verification = "01"
gender = "female"
birth_date = "1984-06-21"
name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "LS99 9ZZ" }
telecom = [{ value = "07700 900123", use = "mobile", rank = 1 }]
"#;
