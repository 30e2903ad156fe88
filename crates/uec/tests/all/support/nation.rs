//! The national services of the sandbox in front of a Provider, and a folder in which the Consumer works.

use sandbox::{Listeners, Ports, Sandbox, Setup};
use std::process::Command;
use tempfile::TempDir;
use testkit::Arguments;
use tokio::runtime::Runtime;

use super::operations::{command, written};

/// A patient's file for bookings; who has an NHS number says so in the second line of the table.
const PATIENT: &str = r#"
description = "Sore throat and fever"
[patient]
gender = "female"
birth_date = "1984-06-21"
name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "LS99 9ZZ" }
telecom = [{ value = "07700 900123", use = "mobile", rank = 1 }]
"#;

/// The file of a patient, with this NHS number or none.
pub fn patient(nhs_number: Option<&str>) -> String {
    let number = nhs_number.map(|n| format!("nhs_number = \"{n}\"\n"));
    PATIENT.replace(
        "[patient]\n",
        &format!("[patient]\n{}", number.unwrap_or_default()),
    )
}

/// DoS, SDS and SSP in this process, and the Consumer's folder with `ada.toml` and `nameless.toml`.
pub struct Nation {
    pub sandbox: Sandbox,
    pub folder: TempDir,
    _runtime: Runtime,
}

impl Nation {
    /// NHS number of the patient in `ada.toml`.
    pub const ADA: &str = "9990123454";

    /// In front of the Provider at this address, such as `http://127.0.0.1:8001`.
    pub fn of(provider: &str) -> Nation {
        let runtime = Runtime::new().expect("a runtime");
        let sandbox = runtime.block_on(async {
            let [dos, sds, ssp] = [Some(0); 3];
            let listeners = Listeners::bind("127.0.0.1", &Ports { dos, sds, ssp }).await;
            let setup = Setup {
                provider: Some(provider.to_owned()),
                ..Setup::default()
            };
            let sandbox = Sandbox::start(listeners.expect("ports"), setup).await;
            sandbox.expect("the sandbox starts")
        });
        let folder = tempfile::tempdir().expect("a folder");
        written(folder.path(), "ada.toml", &patient(Some(Nation::ADA)));
        written(folder.path(), "nameless.toml", &patient(None));
        Nation {
            sandbox,
            folder,
            _runtime: runtime,
        }
    }

    /// `uec consumer …` here, with nothing else in its environment.
    pub fn command(&self, arguments: impl Arguments) -> Command {
        let at = self.sandbox.addresses();
        let mut command = command("consumer");
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("XDG_DATA_HOME", self.folder.path().join("data"))
            .env("UEC_DOS_URL", &at.dos)
            .env("UEC_SDS_URL", &at.sds)
            .env("UEC_SSP_URL", &at.ssp)
            .args(arguments.words());
        command
    }
}
