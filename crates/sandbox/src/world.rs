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
pub mod written;

use crate::directory::Directory;
use model::{Account, Disposition, Distance, Postcode, Service, Settings, SymptomGroup};
use sheet::{Faults, Sheet};
use written::plain_postcode;

/// The world file of the demonstration, with its placeholders.
pub const DEMO: &str = include_str!("../data/world.toml");

/// Largest file: the directory of a whole region has a few megabytes.
const MAX_BYTES: usize = 8 << 20;
/// Most things of one kind.
const MAX_ITEMS: usize = 20_000;

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
        let read = World::read(text, "world file", &Addresses::default());
        read.map(|(world, _)| world).map_err(|e| e.to_string())
    }

    /// Reads a world file. `file` is its name for messages; `addresses` fill its placeholders.
    pub fn read(
        text: &str,
        file: &str,
        addresses: &Addresses,
    ) -> Result<(World, Vec<Remark>), Faults> {
        let mut sheet = Sheet::open(text, file, MAX_BYTES)?;
        sheet.fill(&|text| addresses.fill(text));
        let settings = sheet.single("dos").unwrap_or_default();
        let postcodes = sheet.items("postcode", MAX_ITEMS);
        let distances = sheet.items("distance", MAX_ITEMS);
        let dispositions = sheet.items("disposition", MAX_ITEMS);
        let symptom_groups = sheet.items("symptom_group", MAX_ITEMS);
        let accounts = sheet.items("account", MAX_ITEMS);
        let services = sheet.items("service", MAX_ITEMS);
        let systems = sheet.items("system", MAX_ITEMS);
        let endpoints = sheet.items("endpoint", MAX_ITEMS);
        sheet.no_others();
        sheet.clean()?;
        let world = World {
            settings,
            postcodes,
            distances,
            dispositions,
            symptom_groups,
            accounts,
            services,
            directory: check::directory(systems, endpoints, &mut sheet),
        };
        check::world(&world, &mut sheet);
        sheet.clean()?;
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
