//! Every key, with the environment variable that wins over it.

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A text.
    Text,
    /// `true` or `false`.
    Truth,
    /// Whole seconds.
    Seconds,
    /// Whole days.
    Days,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its place in the file, such as `dos.url`.
    pub path: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// What it holds.
    pub holds: Holds,
}

const fn key(path: &'static str, variable: &'static str, holds: Holds) -> Key {
    Key {
        path,
        variable,
        holds,
    }
}

const fn text(path: &'static str, variable: &'static str) -> Key {
    key(path, variable, Holds::Text)
}

const fn truth(path: &'static str, variable: &'static str) -> Key {
    key(path, variable, Holds::Truth)
}

const fn seconds(path: &'static str, variable: &'static str) -> Key {
    key(path, variable, Holds::Seconds)
}

/// All keys. Variables that other commands use too, such as for a server's certificate, have names of their own here.
pub const KEYS: &[Key] = &[
    text("asid", "UEC_CONSUMER_ASID"),
    text("iss", "UEC_CONSUMER_ISS"),
    text("journal", "UEC_CONSUMER_JOURNAL"),
    truth("allow_shared_files", "UEC_CONSUMER_ALLOW_SHARED_FILES"),
    key("retention_days", "UEC_CONSUMER_RETENTION_DAYS", Holds::Days),
    truth("allow_plain", "UEC_CONSUMER_ALLOW_PLAIN"),
    text("organisation.ods", "UEC_ORGANISATION_ODS"),
    text("organisation.name", "UEC_ORGANISATION_NAME"),
    text("device.system", "UEC_DEVICE_SYSTEM"),
    text("device.value", "UEC_DEVICE_VALUE"),
    text("device.model", "UEC_DEVICE_MODEL"),
    text("device.version", "UEC_DEVICE_VERSION"),
    text("user.id", "UEC_USER_ID"),
    text("user.family", "UEC_USER_FAMILY"),
    text("user.given", "UEC_USER_GIVEN"),
    text("user.prefix", "UEC_USER_PREFIX"),
    truth("user.clinical", "UEC_USER_CLINICAL"),
    text("user.sds_user", "UEC_USER_SDS_USER"),
    text("user.sds_role", "UEC_USER_SDS_ROLE"),
    text("user.local_system", "UEC_USER_LOCAL_SYSTEM"),
    text("dos.url", "UEC_DOS_URL"),
    text("dos.clinician.username", "UEC_DOS_CLINICIAN_USERNAME"),
    text("dos.clinician.password", "UEC_DOS_CLINICIAN_PASSWORD"),
    text(
        "dos.clinician.password_file",
        "UEC_DOS_CLINICIAN_PASSWORD_FILE",
    ),
    text("dos.adviser.username", "UEC_DOS_ADVISER_USERNAME"),
    text("dos.adviser.password", "UEC_DOS_ADVISER_PASSWORD"),
    text("dos.adviser.password_file", "UEC_DOS_ADVISER_PASSWORD_FILE"),
    text("sds.url", "UEC_SDS_URL"),
    text("ssp.url", "UEC_SSP_URL"),
    truth("ssp.direct", "UEC_SSP_DIRECT"),
    text("tls.ca", "UEC_CONSUMER_CA"),
    text("tls.certificate", "UEC_CONSUMER_CERTIFICATE"),
    text("tls.key", "UEC_CONSUMER_KEY"),
    seconds("timeouts.connect_seconds", "UEC_CONNECT_SECONDS"),
    seconds("timeouts.dos_seconds", "UEC_DOS_SECONDS"),
    seconds("timeouts.sds_seconds", "UEC_SDS_SECONDS"),
    seconds("timeouts.attempt_seconds", "UEC_ATTEMPT_SECONDS"),
    seconds("timeouts.total_seconds", "UEC_TOTAL_SECONDS"),
];
