//! Anchors: whoever has the database cannot make it fit what was signed before (D-74). Each attack passes the check of the
//! trail alone.

use super::store_fixture::raw::Raw;
use super::store_fixture::*;
use jiff::Timestamp;
use provider::anchor::compare::{self, Loss, LossKind};
use provider::anchor::folder::{Anchors, Folder};
use provider::anchor::keeper::Keeper;
use provider::anchor::key::{PublicKey, SigningKey};
use provider::anchor::line::Anchor;
use provider::anchor::state::{AnchorState, Sink};
use provider::config::Audit;
use provider::store::{AuditHead, AuditVerdict, CopyOptions, Store, TenantKey, copy};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A database whose heads are signed into a folder.
struct Scene {
    place: Place,
    store: Store,
    tenant: TenantKey,
    settings: Audit,
    state: Arc<AnchorState>,
    keeper: Keeper,
}

impl Scene {
    /// Anchors of row 1 and of the last row: 1 the declaration, 2 the slots, 3 a booking, 4 to 6 something else.
    async fn new() -> Scene {
        let place = Place::new();
        let key = place.directory.path().join("audit.key");
        SigningKey::make(&key).unwrap();
        let settings = Audit {
            key: Some(key),
            folder: Some(place.directory.path().join("anchors")),
            ..Audit::default()
        };
        let store = place.open();
        let state = Arc::<AnchorState>::default();
        let (tenant, gp) = tenant(&store).await;
        let mut keeper = opened(&settings, &store, &state);
        keeper.round();
        let slots = make_slots(tenant, gp, 3).await;
        book(tenant, slots[0]).await;
        for _ in 0..3 {
            tenant.audit(&staff()).await.unwrap();
        }
        keeper.round();
        assert!(state.losses().is_empty());
        assert_eq!(state.counts(Sink::Folder), (2, 0));
        let tenant = tenant.key();
        Scene {
            place,
            store,
            tenant,
            settings,
            state,
            keeper,
        }
    }

    fn folder(&self) -> &Path {
        self.settings.folder.as_deref().unwrap()
    }

    fn keys(&self) -> Vec<PublicKey> {
        vec![PublicKey::open(self.settings.key.as_deref().unwrap()).unwrap()]
    }

    fn anchors(&self) -> Anchors {
        Anchors::read(self.folder(), &self.keys()).unwrap()
    }

    /// A hand in the database that no trigger holds back.
    fn raw(&self) -> Raw {
        let raw = self.place.raw();
        raw.run(text(
            "DROP TRIGGER IF EXISTS audit_kept; DROP TRIGGER IF EXISTS audit_fixed",
            "DROP TRIGGER IF EXISTS audit_kept ON audit; DROP TRIGGER IF EXISTS audit_fixed ON audit",
        ));
        raw
    }

    /// Rewrites the rows of the trail, as somebody who knows how it is made.
    fn rewrite(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut chain = Chain::read(&self.raw());
        change(&mut chain.bodies);
        chain.write(&self.raw(), self.tenant);
    }

    /// Something more is recorded.
    async fn audit(&self) {
        let tenant = self.store.tenant(self.tenant);
        tenant.audit(&staff()).await.unwrap();
    }

    /// What the check with anchors says of a database whose trail alone has nothing to say against it.
    #[track_caller]
    fn lost(&self, store: &Store) -> Loss {
        let checked = self.checked(store);
        assert!(
            matches!(checked.verdict, AuditVerdict::Verified { .. }),
            "the trail alone tells it: {checked:?}"
        );
        let loss = checked.loss.expect("not noticed");
        // The start of a server says the same.
        let state = Arc::<AnchorState>::default();
        drop(opened(&self.settings, store, &state));
        assert_eq!(state.losses(), std::slice::from_ref(&loss));
        loss
    }

    /// What is lost, from which row on, of how many that were signed.
    #[track_caller]
    fn assert_lost(&self, store: &Store, what: LossKind, first: i64, anchored: i64) -> Loss {
        let loss = self.lost(store);
        assert_eq!(
            (loss.what, loss.first, loss.anchored),
            (what, first, anchored)
        );
        loss
    }

    fn checked(&self, store: &Store) -> compare::Checked {
        let tenants = store.tenants().unwrap();
        compare::check(store, &tenants[0], &self.anchors()).unwrap()
    }
}

fn opened(settings: &Audit, store: &Store, state: &Arc<AnchorState>) -> Keeper {
    let keeper = Keeper::open(settings, store, state.clone(), None);
    let mut keeper = keeper.unwrap().expect("the settings name a key");
    keeper.begin();
    keeper
}

/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_trail_that_is_whole_fits_its_anchors() {
    let scene = Scene::new().await;
    let checked = scene.checked(&scene.store);
    assert!(checked.loss.is_none());
    assert_eq!((checked.fits, checked.proven), (2, 6));
    // What has not changed is not signed again, also not by another process.
    let mut again = opened(&scene.settings, &scene.store, &scene.state);
    again.round();
    assert_eq!(scene.state.counts(Sink::Folder), (2, 0));
    assert!(scene.state.age().is_some());
}

/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_removed_tail_is_found_although_its_end_was_moved() {
    let scene = Scene::new().await;
    scene.rewrite(|rows| rows.truncate(4));
    let loss = scene.assert_lost(&scene.store, LossKind::Missing, 5, 6);
    assert!(loss.to_string().contains("rows 5 to 6"), "{loss}");
}

/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_chain_that_was_computed_anew_is_found() {
    let scene = Scene::new().await;
    scene.rewrite(|rows| rows[4] = rows[4].replace("nobody", "somebody else"));
    // The anchor of row 1 fits, that of row 6 does not.
    scene.assert_lost(&scene.store, LossKind::Changed, 2, 6);
}

/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_trail_that_was_removed_with_its_bookings_is_found() {
    let scene = Scene::new().await;
    let raw = scene.raw();
    raw.run(text(
        "DROP TRIGGER appointment_version_kept",
        "DROP TRIGGER appointment_version_kept ON appointment_version",
    ));
    raw.run("DELETE FROM document_link; DELETE FROM appointment_version; DELETE FROM appointment");
    scene.rewrite(|rows| rows.truncate(1));
    scene.assert_lost(&scene.store, LossKind::Missing, 2, 6);
}

/// A copy keeps the bytes of the chains, and so the anchors; the copy of an earlier moment lacks what came later, and is
/// another trail once it was used.
///
/// Proves: AUD-07, D-74
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_that_is_put_back_is_found() {
    let mut scene = Scene::new().await;
    let old = Place::bare();
    let (from, to) = (scene.place.url().to_owned(), old.url().to_owned());
    let options = CopyOptions {
        while_running: true,
    };
    tokio::task::block_in_place(|| {
        copy(&from, &to, &options, &mut |_| ControlFlow::Continue(())).unwrap();
    });
    let restored = old.open();
    let checked = scene.checked(&restored);
    assert_eq!((checked.fits, checked.loss), (2, None));
    // Life went on after the copy.
    for _ in 0..3 {
        scene.audit().await;
    }
    scene.keeper.round();
    scene.assert_lost(&restored, LossKind::Missing, 7, 9);
    // It is used, and grows longer than the trail that was signed.
    let tenant = restored.tenants().unwrap()[0].key;
    for _ in 0..9 {
        restored.tenant(tenant).audit(&staff()).await.unwrap();
    }
    scene.assert_lost(&restored, LossKind::Changed, 7, 9);
}

/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_provider_that_is_gone_is_found() {
    let scene = Scene::new().await;
    let other = memory();
    let losses = compare::losses(&other, &scene.anchors()).unwrap();
    assert_eq!(losses.len(), 1);
    assert_eq!((losses[0].what, losses[0].first), (LossKind::NoProvider, 1));
}

/// While it runs a server does not sign what is not the continuation of what it signed.
///
/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_trail_that_is_changed_meanwhile_is_found_and_not_signed() {
    let mut scene = Scene::new().await;
    scene.rewrite(|rows| {
        rows[2] = rows[2].replace("FX900", "FX901");
        rows[5] = rows[5].replace("nobody", "somebody else");
    });
    scene.audit().await;
    // What is told is when the head was signed, not when the loss was found: another second.
    let signed = scene.anchors().providers["FX101"]
        .last()
        .unwrap()
        .anchor
        .at
        .clone();
    testkit::until("the next second", || {
        provider::anchor::line::shown(jiff::Timestamp::now()) != signed
    });
    for _ in 0..2 {
        scene.keeper.round();
        let losses = scene.state.losses();
        assert_eq!((losses.len(), &losses[0].at), (1, &signed));
    }
    assert_eq!(scene.state.counts(Sink::Folder), (2, 0));
    assert_eq!(scene.state.losses()[0].first, 2);
}

/// Somebody says that a loss is known: the trail goes on, and the check goes on telling it. Nobody else can say so.
///
/// Proves: AUD-07, D-74
#[tokio::test]
async fn a_loss_is_accepted_only_by_the_key() {
    let mut scene = Scene::new().await;
    scene.rewrite(|rows| rows.truncate(5));
    scene.keeper.round();
    assert_eq!(scene.state.losses().len(), 1);

    let stranger = SigningKey::make(&scene.place.directory.path().join("other.key")).unwrap();
    let own = SigningKey::open(scene.settings.key.as_deref().unwrap(), "key").unwrap();
    let folder = Folder::open(scene.folder()).unwrap();
    let accept = |key: &SigningKey| {
        let head = scene.store.tenant(scene.tenant).audit_head().unwrap();
        let line =
            Anchor::accepted("FX101", &head, now(), "operator A", "a disk was lost").sign(key);
        folder.append(today(), &[&line.unwrap()]).unwrap();
    };
    accept(&stranger);
    let anchors = scene.anchors();
    assert_eq!((anchors.faulty, anchors.taken), (1, 2));
    assert!(anchors.faults[0].contains("line 3"), "{:?}", anchors.faults);
    assert_eq!(scene.lost(&scene.store).first, 6);

    accept(&own);
    scene.keeper.round();
    assert!(scene.state.losses().is_empty());
    let checked = scene.checked(&scene.store);
    assert!(checked.loss.is_none());
    assert!(
        checked.accepted[0].contains("a disk was lost"),
        "{:?}",
        checked.accepted
    );
    // From here on everything counts again.
    scene.audit().await;
    scene.keeper.round();
    assert_eq!(scene.checked(&scene.store).proven, 6);
    scene.rewrite(|rows| rows.truncate(5));
    assert_eq!(scene.lost(&scene.store).first, 6);
}

/// Proves: D-74
#[tokio::test]
async fn what_was_changed_in_the_folder_is_not_believed() {
    let scene = Scene::new().await;
    let file = only_file(scene.folder());
    let whole = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [
        ("\"row\":6", "\"row\":5"),
        ("\"provider\":\"FX101\"", "\"provider\":\"FX202\""),
        ("\"uec_audit\":\"head\"", "\"uec_audit\":\"accepted\""),
    ] {
        std::fs::write(&file, whole.replace(from, to)).unwrap();
        let anchors = scene.anchors();
        assert!(anchors.faulty > 0, "{from}");
        assert!(anchors.taken < 2, "{from}");
    }
    // Without a key everything is taken, and it is said that nobody looked.
    let anchors = Anchors::read(&file, &[]).unwrap();
    assert!(anchors.unchecked);
    assert_eq!((anchors.taken, anchors.faulty), (2, 0));
}

/// A process that is killed while it writes leaves half a line, which takes no other line with it.
#[tokio::test]
async fn half_a_line_is_told_and_does_no_harm() {
    let mut scene = Scene::new().await;
    let file = only_file(scene.folder());
    let mut torn = std::fs::read_to_string(&file).unwrap();
    let half = torn.lines().next().unwrap()[..100].to_owned();
    torn.push_str(&half);
    std::fs::write(&file, torn).unwrap();
    scene.audit().await;
    scene.keeper.round();
    let anchors = scene.anchors();
    assert_eq!((anchors.taken, anchors.damaged, anchors.faulty), (3, 1, 0));
    assert_eq!(scene.checked(&scene.store).proven, 7);
}

/// A folder that cannot be written is counted, and the heads are kept for it.
#[tokio::test]
async fn heads_that_cannot_be_written_are_written_later() {
    let mut scene = Scene::new().await;
    let file = only_file(scene.folder());
    let aside = scene.place.directory.path().join("aside");
    std::fs::rename(&file, &aside).unwrap();
    // A folder in the place of the file of the day: nobody, not even root, can write to it.
    std::fs::create_dir(&file).unwrap();
    scene.audit().await;
    for failed in [1, 2] {
        scene.keeper.round();
        assert_eq!(scene.state.counts(Sink::Folder), (2, failed));
    }
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    scene.keeper.round();
    assert_eq!(scene.state.counts(Sink::Folder), (3, 2));
    assert_eq!(scene.checked(&scene.store).proven, 7);
}

/// A folder that cannot be reached stops no server; nothing is signed before it was compared.
#[tokio::test]
async fn nothing_is_signed_before_the_folder_was_compared() {
    let scene = Scene::new().await;
    let aside = scene.place.directory.path().join("aside");
    std::fs::rename(scene.folder(), &aside).unwrap();
    std::fs::write(scene.folder(), "no folder").unwrap();
    scene.rewrite(|rows| rows.truncate(5));
    let state = Arc::<AnchorState>::default();
    let mut keeper = opened(&scene.settings, &scene.store, &state);
    keeper.round();
    assert_eq!(state.counts(Sink::Log), (0, 0));
    assert_eq!(state.counts(Sink::Folder), (0, 2));
    assert!(state.age().is_some(), "it is told since when");
    std::fs::remove_file(scene.folder()).unwrap();
    std::fs::rename(&aside, scene.folder()).unwrap();
    keeper.round();
    assert_eq!(state.losses().len(), 1);
    assert_eq!(state.counts(Sink::Log), (0, 0));
}

/// What is no file of anchors is told within a bound, also when it has no end.
#[test]
fn files_without_an_end_are_refused() {
    let endless = Path::new("/dev/zero");
    let said = Anchors::read(endless, &[]).err().unwrap();
    assert!(said.contains("more than a megabyte"), "{said}");
    assert!(PublicKey::open(endless).is_err());
    assert!(SigningKey::open(endless, "audit.key").is_err());
}

/// What stands in a foreign file reaches no terminal as anything but text.
#[test]
fn an_anchor_holds_nothing_that_a_terminal_acts_on() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::make(&folder.path().join("key")).unwrap();
    let head = AuditHead::default();
    let because = "gone\u{1b}[2J\r\n\u{202e}away\u{200b}";
    let line = Anchor::accepted("FX101", &head, now(), "operator\u{7}", because).sign(&key);
    let line = line.unwrap();
    let file = folder.path().join("anchors");
    std::fs::write(&file, &line).unwrap();
    let read = Anchors::read(&file, &[key.public()]).unwrap();
    let anchor = &read.providers["FX101"][0].anchor;
    assert_eq!(anchor.because.as_deref(), Some("gone[2Jaway"));
    assert_eq!(anchor.by.as_deref(), Some("operator"));
    for (from, to) in [
        ("FX101", "F\\u001b"),
        ("gone", "g\\u001bne"),
        ("operator", "\\u202eor"),
    ] {
        std::fs::write(&file, line.replacen(from, to, 1)).unwrap();
        let read = Anchors::read(&file, &[]).unwrap();
        assert_eq!((read.taken, read.damaged), (0, 1), "{to}");
    }
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

fn today() -> jiff::civil::Date {
    Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}
