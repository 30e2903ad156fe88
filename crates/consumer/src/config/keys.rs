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

/// All keys. Variables that other commands use too, such as for a server's certificate, have names of their own here.
pub const KEYS: &[Key] = &[
    key("asid", "UEC_CONSUMER_ASID", Holds::Text),
    key("iss", "UEC_CONSUMER_ISS", Holds::Text),
    key("journal", "UEC_CONSUMER_JOURNAL", Holds::Text),
    key(
        "allow_shared_files",
        "UEC_CONSUMER_ALLOW_SHARED_FILES",
        Holds::Truth,
    ),
    key("retention_days", "UEC_CONSUMER_RETENTION_DAYS", Holds::Days),
    key("allow_plain", "UEC_CONSUMER_ALLOW_PLAIN", Holds::Truth),
    key("organisation.ods", "UEC_ORGANISATION_ODS", Holds::Text),
    key("organisation.name", "UEC_ORGANISATION_NAME", Holds::Text),
    key("device.system", "UEC_DEVICE_SYSTEM", Holds::Text),
    key("device.value", "UEC_DEVICE_VALUE", Holds::Text),
    key("device.model", "UEC_DEVICE_MODEL", Holds::Text),
    key("device.version", "UEC_DEVICE_VERSION", Holds::Text),
    key("user.id", "UEC_USER_ID", Holds::Text),
    key("user.family", "UEC_USER_FAMILY", Holds::Text),
    key("user.given", "UEC_USER_GIVEN", Holds::Text),
    key("user.prefix", "UEC_USER_PREFIX", Holds::Text),
    key("user.clinical", "UEC_USER_CLINICAL", Holds::Truth),
    key("user.sds_user", "UEC_USER_SDS_USER", Holds::Text),
    key("user.sds_role", "UEC_USER_SDS_ROLE", Holds::Text),
    key("user.local_system", "UEC_USER_LOCAL_SYSTEM", Holds::Text),
    key("dos.url", "UEC_DOS_URL", Holds::Text),
    key(
        "dos.clinician.username",
        "UEC_DOS_CLINICIAN_USERNAME",
        Holds::Text,
    ),
    key(
        "dos.clinician.password",
        "UEC_DOS_CLINICIAN_PASSWORD",
        Holds::Text,
    ),
    key(
        "dos.clinician.password_file",
        "UEC_DOS_CLINICIAN_PASSWORD_FILE",
        Holds::Text,
    ),
    key(
        "dos.adviser.username",
        "UEC_DOS_ADVISER_USERNAME",
        Holds::Text,
    ),
    key(
        "dos.adviser.password",
        "UEC_DOS_ADVISER_PASSWORD",
        Holds::Text,
    ),
    key(
        "dos.adviser.password_file",
        "UEC_DOS_ADVISER_PASSWORD_FILE",
        Holds::Text,
    ),
    key("sds.url", "UEC_SDS_URL", Holds::Text),
    key("ssp.url", "UEC_SSP_URL", Holds::Text),
    key("ssp.direct", "UEC_SSP_DIRECT", Holds::Truth),
    key("tls.ca", "UEC_CONSUMER_CA", Holds::Text),
    key("tls.certificate", "UEC_CONSUMER_CERTIFICATE", Holds::Text),
    key("tls.key", "UEC_CONSUMER_KEY", Holds::Text),
    key(
        "timeouts.connect_seconds",
        "UEC_CONNECT_SECONDS",
        Holds::Seconds,
    ),
    key("timeouts.dos_seconds", "UEC_DOS_SECONDS", Holds::Seconds),
    key("timeouts.sds_seconds", "UEC_SDS_SECONDS", Holds::Seconds),
    key(
        "timeouts.attempt_seconds",
        "UEC_ATTEMPT_SECONDS",
        Holds::Seconds,
    ),
    key(
        "timeouts.total_seconds",
        "UEC_TOTAL_SECONDS",
        Holds::Seconds,
    ),
];
