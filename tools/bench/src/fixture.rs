//! A provider made for measuring: services, one diary each, and slots every forty minutes.

use crate::place::{self, Place};
use jiff::{SignedDuration, Timestamp};
use provider::audit::AuditEntry;
use provider::diary::apply;
use provider::diary::declaration::read::read;
use provider::store::{Inserted, NewSlot, ScheduleKey, Store, TenantKey};
use std::fmt::Write;
use uuid::Uuid;

/// The provider.
pub const ODS: &str = "FX303";
/// Its ASID.
pub const ASID: &str = "918999000033";
/// Minutes from the start of a slot to that of the next: a hundred of them are within three days.
pub const EVERY: i64 = 40;
/// Slots made between two words about progress.
const STEP: usize = 100_000;

/// A service and the diary that it has.
pub struct Clinic {
    /// DoS service id.
    pub service: String,
    /// Id of its schedule.
    pub schedule: String,
    /// The schedule in the database.
    pub key: ScheduleKey,
}

/// A database with the provider, while slots are made in it.
pub struct Fixture {
    store: Store,
    made: Made,
}

/// A database with the provider.
pub struct Made {
    /// Its address.
    pub url: String,
    /// The provider.
    pub tenant: TenantKey,
    /// Its clinics.
    pub clinics: Vec<Clinic>,
    /// Start of the first slot, an hour or so from now.
    pub first: Timestamp,
}

/// A slot that was made.
#[derive(Clone)]
pub struct MadeSlot {
    /// Id.
    pub uuid: Uuid,
    /// Place of its clinic.
    pub clinic: usize,
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
}

impl Fixture {
    /// A new database with so many clinics and no slots.
    pub async fn make(place: &Place, name: &str, clinics: usize) -> Result<Fixture, String> {
        let url = place.make(name)?;
        let store = place::open(&url)?;
        let now = Timestamp::now();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let wanted = read(&declaration(clinics), "bench.toml", today).map_err(|e| e.to_string())?;
        let options = apply::Options {
            keep_bookings: false,
            actor: "bench".to_owned(),
        };
        apply::apply(&store, &wanted, now, &options, &mut |_| {})
            .await
            .map_err(|e| e.to_string())?;
        let tenants = store.tenants().map_err(|e| e.to_string())?;
        let tenant = tenants.first().ok_or("no provider was made")?.key;
        let (_, declared) = store.tenant(tenant).declared().map_err(|e| e.to_string())?;
        let clinics = (0..clinics).map(|n| {
            let schedule = format!("clinic-{n}");
            let row = declared
                .iter()
                .find(|d| d.schedule.is_some() && d.id == schedule);
            let key = row
                .and_then(|d| d.schedule)
                .ok_or("a schedule is missing")?;
            Ok::<_, &str>(Clinic {
                service: service(n),
                schedule,
                key,
            })
        });
        let clinics = clinics.collect::<Result<Vec<_>, _>>()?;
        let hour = now.as_second().div_euclid(3_600) + 2;
        let first = Timestamp::from_second(hour * 3_600).map_err(|e| e.to_string())?;
        Ok(Fixture {
            store,
            made: Made {
                url,
                tenant,
                clinics,
                first,
            },
        })
    }

    /// Closes the database.
    pub fn close(self) -> Made {
        self.store.close();
        self.made
    }

    /// Gives every clinic so many slots; calls `made` with each.
    pub async fn fill(
        &self,
        per_clinic: usize,
        mut made: impl FnMut(MadeSlot),
    ) -> Result<(), String> {
        let entry = AuditEntry::local(Timestamp::now(), "slots.make", "bench");
        let total = per_clinic * self.made.clinics.len();
        let mut done = Inserted::default();
        let mut said = 0;
        for (n, clinic) in self.made.clinics.iter().enumerate() {
            let mut slots = Vec::with_capacity(per_clinic);
            for i in 0..per_clinic {
                let minutes = i64::try_from(i).unwrap_or(i64::MAX) * EVERY;
                let start = self.made.first + SignedDuration::from_mins(minutes);
                let end = start + SignedDuration::from_mins(10);
                let uuid = Uuid::now_v7();
                made(MadeSlot {
                    uuid,
                    clinic: n,
                    start,
                    end,
                });
                slots.push(NewSlot {
                    uuid,
                    schedule: clinic.key,
                    start,
                    end,
                    held: false,
                    channel: None,
                    template: None,
                    release: None,
                    track: 0,
                });
            }
            let batch = self
                .store
                .tenant(self.made.tenant)
                .insert_slots(slots, Timestamp::now(), &entry)
                .await
                .map_err(|e| e.to_string())?;
            done.made += batch.made;
            if usize::try_from(done.made).unwrap_or(usize::MAX) / STEP > said {
                said = usize::try_from(done.made).unwrap_or(usize::MAX) / STEP;
                eprint!("\r  slots made: {} of {total}", done.made);
            }
        }
        if said > 0 {
            eprintln!();
        }
        Ok(())
    }
}

/// DoS service id of a clinic.
pub fn service(n: usize) -> String {
    format!("{}", 2_000_100_000 + n)
}

/// The declaration of the provider: every clinic leads to a practitioner, a role, a place and an organisation, so that
/// a search may include all six.
fn declaration(clinics: usize) -> String {
    let mut out = format!(
        "[provider]\nods = \"{ODS}\"\nasid = \"{ASID}\"\nname = \"Measured Care\"\n\
         [[organization]]\nid = \"fx303\"\nods = \"{ODS}\"\nname = \"Measured Care\"\nphone = \"01632 960300\"\n\
         address = {{ lines = [\"3 Measured Way\"], city = \"Exampleton\", postcode = \"LS99 9ZA\" }}\n\
         [[location]]\nid = \"place\"\nsite = \"FX30301\"\nname = \"Measured Treatment Centre\"\n\
         phone = \"01632 960301\"\norganization = \"fx303\"\n\
         address = {{ lines = [\"Gate 1\", \"3 Measured Way\"], city = \"Exampleton\", postcode = \"LS99 9ZA\" }}\n\
         [[consumer]]\nods = \"{0}\"\nasid = \"{1}\"\nname = \"Fernhill 111\"\nkind = \"111\"\n",
        crate::message::CONSUMER_ODS,
        crate::message::CONSUMER_ASID,
    );
    for n in 0..clinics {
        let (service, role, user) = (service(n), 555_000_100_000 + n, 555_000_500_000 + n);
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "[[practitioner]]\nid = \"gp-{n}\"\nrole_profile = \"{role}\"\nuser = \"{user}\"\n\
             family = \"Larkspur\"\ngiven = [\"Imogen\"]\nprefix = \"Dr\"\ngender = \"female\"\n\
             [[role]]\nid = \"{role}\"\npractitioner = \"gp-{n}\"\norganization = \"fx303\"\ncode = \"R0260\"\n\
             display = \"General Medical Practitioner\"\n\
             [[service]]\nid = \"{service}\"\nname = \"Clinic {n}\"\nprovided_by = \"fx303\"\nlocation = \"place\"\n\
             [[schedule]]\nid = \"clinic-{n}\"\nservices = [\"{service}\"]\npractitioner = \"gp-{n}\"\n\
             identifier = \"CLINIC-{n}\"\n",
        );
    }
    out
}
