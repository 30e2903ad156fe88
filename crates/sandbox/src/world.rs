//! The world of the sandbox: one TOML file that a DoS lead can read, with the accounts, places, services and
//! endpoints of the Directory of Services and the systems of the Spine.
//!
//! ```
//! use sandbox::world::{Addresses, World};
//!
//! let world = World::demo(&Addresses::default());
//! assert_eq!(world.service(2000000011).unwrap().ods, "FX101");
//! ```

mod advice;
mod check;
pub mod model;
mod opening;
mod sheet;
pub mod written;

use crate::directory::{Directory, WrittenEndpoint, WrittenSystem};
use model::{Account, Disposition, Distance, Postcode, Service, Settings, SymptomGroup};
use sheet::Sheet;
use written::plain_postcode;

/// The world file of the demonstration, with its placeholders.
pub const DEMO: &str = include_str!("../data/world.toml");

const SECTIONS: [&str; 9] = [
    "dos",
    "postcode",
    "distance",
    "disposition",
    "symptom_group",
    "account",
    "service",
    "system",
    "endpoint",
];

/// Where the parts listen, in place of `{provider}`, `{ssp}`, `{dos}` and `{sds}` in a world file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The Provider, `http://127.0.0.1:8001`.
    pub provider: String,
    /// The Spine Secure Proxy, `http://127.0.0.1:8002`.
    pub ssp: String,
    /// The Directory of Services, `http://127.0.0.1:8003`.
    pub dos: String,
    /// The Spine Directory Service, `ldap://127.0.0.1:8004`.
    pub sds: String,
}

impl Default for Addresses {
    /// The ports of the demonstration on this machine.
    fn default() -> Addresses {
        Addresses {
            provider: "http://127.0.0.1:8001".to_owned(),
            ssp: "http://127.0.0.1:8002".to_owned(),
            dos: "http://127.0.0.1:8003".to_owned(),
            sds: "ldap://127.0.0.1:8004".to_owned(),
        }
    }
}

impl Addresses {
    /// The text with its placeholders filled; `None` when it has none.
    fn fill(&self, text: &str) -> Option<String> {
        if !text.contains('{') {
            return None;
        }
        let filled = [
            ("{provider}", &self.provider),
            ("{ssp}", &self.ssp),
            ("{dos}", &self.dos),
            ("{sds}", &self.sds),
        ]
        .iter()
        .fold(text.to_owned(), |text, (placeholder, address)| {
            text.replace(placeholder, address.trim_end_matches('/'))
        });
        Some(filled)
    }
}

/// Everything that the national services know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// How the DoS answers.
    pub settings: Settings,
    /// Places that can be searched from.
    pub postcodes: Vec<Postcode>,
    /// Search distances set for postcodes, sectors and districts.
    pub distances: Vec<Distance>,
    /// Dispositions.
    pub dispositions: Vec<Disposition>,
    /// Symptom groups and their discriminators.
    pub symptom_groups: Vec<SymptomGroup>,
    /// DoS accounts.
    pub accounts: Vec<Account>,
    /// Services.
    pub services: Vec<Service>,
    /// Systems and endpoints of the Spine, for SDS and SSP.
    pub directory: Directory,
}

/// A remark about an entry that is served as written but that consumers stumble over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Line of the file, from 1.
    pub line: usize,
    /// What consumers will see, and what would be right.
    pub text: String,
}

impl World {
    /// Reads a world file with the addresses of the demonstration. The error holds one line per mistake, with place,
    /// key and the nearest valid key.
    pub fn parse(text: &str) -> Result<World, String> {
        World::read(text, "world file", &Addresses::default()).map(|(world, _)| world)
    }

    /// Reads a world file. `file` is its name for messages; `addresses` fill its placeholders.
    pub fn read(
        text: &str,
        file: &str,
        addresses: &Addresses,
    ) -> Result<(World, Vec<Remark>), String> {
        let mut sheet = Sheet::new(text, file);
        let Some(mut root) = sheet.tables() else {
            return Err(sheet.faults());
        };
        sheet.known(&root, &SECTIONS);
        sheet::fill(&mut root, &|text| addresses.fill(text));
        let settings = sheet.single(&mut root, "dos");
        let postcodes = sheet.items(&mut root, "postcode");
        let distances = sheet.items(&mut root, "distance");
        let dispositions = sheet.items(&mut root, "disposition");
        let symptom_groups = sheet.items(&mut root, "symptom_group");
        let accounts = sheet.items(&mut root, "account");
        let services = sheet.items(&mut root, "service");
        let systems: Vec<WrittenSystem> = sheet.items(&mut root, "system");
        let endpoints: Vec<WrittenEndpoint> = sheet.items(&mut root, "endpoint");
        if !sheet.is_clean() {
            return Err(sheet.faults());
        }
        let directory = check::directory(systems, endpoints, &mut sheet);
        let world = World {
            settings,
            postcodes,
            distances,
            dispositions,
            symptom_groups,
            accounts,
            services,
            directory,
        };
        check::world(&world, &mut sheet);
        if !sheet.is_clean() {
            return Err(sheet.faults());
        }
        let remarks = advice::remarks(&world, &sheet);
        Ok((world, remarks))
    }

    /// The demonstration's world.
    pub fn demo(addresses: &Addresses) -> World {
        // The embedded file is proved by a test; if it were wrong, an empty world would be told by every search.
        match World::read(DEMO, "data/world.toml", addresses) {
            Ok((world, _)) => world,
            Err(error) => {
                tracing::error!(%error, "the embedded world is wrong");
                World::default()
            }
        }
    }

    /// The service with this id.
    pub fn service(&self, id: u32) -> Option<&Service> {
        self.services.iter().find(|s| s.id == id)
    }

    /// The place of a postcode, however it is spaced.
    pub fn postcode(&self, postcode: &str) -> Option<&Postcode> {
        let wanted = plain_postcode(postcode);
        self.postcodes
            .iter()
            .find(|p| plain_postcode(&p.postcode) == wanted)
    }

    /// The account with this name.
    pub fn account(&self, username: &str) -> Option<&Account> {
        self.accounts.iter().find(|a| a.username == username)
    }

    /// The disposition with this number.
    pub fn disposition(&self, id: u32) -> Option<&Disposition> {
        self.dispositions.iter().find(|d| d.id == id)
    }

    /// The symptom group with this number.
    pub fn symptom_group(&self, id: u32) -> Option<&SymptomGroup> {
        self.symptom_groups.iter().find(|g| g.id == id)
    }
}
