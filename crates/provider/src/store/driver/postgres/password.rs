//! A password that is not in the address: `PGPASSWORD`, or a line of the file that `PGPASSFILE` names
//! (`host:port:database:user:password`, `*` for any).

use super::address::Address;
use booking::named_file;
use std::fs::File;
use tokio_postgres::Config;

/// Looks for the password.
pub(super) fn find(config: &Config) -> Result<Option<String>, String> {
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Ok(Some(password));
    }
    let Some(file) = std::env::var_os("PGPASSFILE") else {
        return Ok(None);
    };
    let failed = |e: std::io::Error| format!("the password file of PGPASSFILE: {e}");
    let text = named_file::text(File::open(&file), named_file::SMALL).map_err(failed)?;
    let hosts = Address::hosts(config);
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or_default();
    Ok(hosts
        .iter()
        .find_map(|(host, port)| in_file(&text, [host, &port.to_string(), database, user])))
}

fn in_file(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let fields = fields(line);
            let [host, port, database, user, password] = fields.as_slice() else {
                return None;
            };
            let fits = [host, port, database, user]
                .iter()
                .zip(wanted)
                .all(|(field, wanted)| *field == "*" || *field == wanted);
            fits.then(|| password.clone())
        })
}

/// Fields between colons; a backslash takes the meaning from what follows.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field, mut plain) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            _ if plain => {
                field.push(c);
                plain = false;
            }
            '\\' => plain = true,
            ':' => all.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    all.push(field);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# a comment\nother:*:*:*:no\n*:5432:uec:*:a\\:b\\\\c\n*:*:*:*:last\n";
        let found = |host, port| in_file(text, [host, port, "uec", "me"]);
        assert_eq!(found("db", "5432").as_deref(), Some("a:b\\c"));
        assert_eq!(found("db", "5433").as_deref(), Some("last"));
        assert_eq!(found("other", "5432").as_deref(), Some("no"));
    }
}
