//! What `--help` shows beside the descriptions: which options are required, and an example of each command.
//!
//! A test reads every example as a command line, so that none of them goes stale.

use clap::{Arg, Command};

/// How the help of a required option begins.
const REQUIRED: &str = "[required] ";
/// Commands and examples of them; commands that bring examples of their own are not here.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "assure consumer",
        &["uec assure consumer --listen 127.0.0.1:9100 --out evidence-consumer"],
    ),
    (
        "assure provider",
        &[
            "uec assure provider --endpoint https://booking.fernhill.example/STU3/1/FX101 --from-asid 918999000099 --to-asid 918999000011 --service 2000000011 --out evidence-provider",
            "uec assure provider --list",
        ],
    ),
    (
        "assure plan list",
        &["uec assure plan list", "uec assure plan list utc --json"],
    ),
    ("assure plan show", &["uec assure plan show plan-fernhill"]),
    (
        "assure plan sign",
        &["uec assure plan sign plan-fernhill --by 'Grace Hazel' --role provider-lead"],
    ),
    (
        "assure plan report",
        &["uec assure plan report plan-fernhill"],
    ),
    (
        "assure plan release",
        &["uec assure plan release plan-fernhill"],
    ),
    (
        "assure report",
        &["uec assure report evidence-provider evidence-consumer --scal scal"],
    ),
    (
        "demo",
        &[
            "uec demo",
            "uec demo --tls --port 9000 --data /tmp/uec-demo",
        ],
    ),
    (
        "consumer endpoint",
        &["uec consumer endpoint --service 2000000011"],
    ),
    (
        "provider serve",
        &[
            "uec provider serve --config /etc/uec/provider.toml",
            "uec provider serve --database sqlite:demo.sqlite --listen 127.0.0.1:8001 --seed demo",
        ],
    ),
    (
        "provider apply",
        &[
            "uec provider apply fernhill.toml --dry-run",
            "uec provider apply fernhill.toml --config /etc/uec/provider.toml",
        ],
    ),
    (
        "provider export",
        &["uec provider export --provider FX101 --database sqlite:provider.sqlite > fernhill.toml"],
    ),
    (
        "provider slots list",
        &[
            "uec provider slots list --service 2000000011 --from 2031-03-04 --to 2031-03-04 --database sqlite:provider.sqlite",
            "uec provider slots list --count --json --config /etc/uec/provider.toml",
        ],
    ),
    (
        "provider audit verify",
        &[
            "uec provider audit verify --config /etc/uec/provider.toml",
            "uec provider audit verify --database sqlite:provider.sqlite --anchors /backup/anchors --key audit.pub",
        ],
    ),
    (
        "provider audit key",
        &["uec provider audit key /etc/uec/audit.key --make"],
    ),
    (
        "provider audit head",
        &["uec provider audit head --config /etc/uec/provider.toml"],
    ),
    (
        "provider audit accept-loss",
        &[
            "uec provider audit accept-loss --config /etc/uec/provider.toml --because 'the disk was lost, last night'",
        ],
    ),
    (
        "provider referral list",
        &["uec provider referral list --provider FX101 --config /etc/uec/provider.toml"],
    ),
    (
        "provider referral show",
        &[
            "uec provider referral show 1b2fd6ca-41db-4eaa-a8fd-41b471b360d0 --config /etc/uec/provider.toml",
        ],
    ),
    (
        "provider referral quarantine",
        &["uec provider referral quarantine --provider FX101 --config /etc/uec/provider.toml"],
    ),
    (
        "provider migrate",
        &["uec provider migrate --database postgres://uec@db.example/uec"],
    ),
    (
        "provider backup",
        &["uec provider backup --to /backup/provider.sqlite --config /etc/uec/provider.toml"],
    ),
    (
        "provider restore",
        &[
            "uec provider restore --from /backup/provider.sqlite --database sqlite:provider.sqlite --replace",
        ],
    ),
    (
        "sandbox serve",
        &[
            "uec sandbox serve",
            "uec sandbox serve --dos 9003 --world region.toml",
        ],
    ),
    ("sandbox world", &["uec sandbox world > region.toml"]),
    ("sandbox check", &["uec sandbox check region.toml --strict"]),
    (
        "token new",
        &["uec token new --aud https://booking.fernhill.example/STU3/1/FX101 --for book"],
    ),
    (
        "token show",
        &["uec token show eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30."],
    ),
    ("validate", &["uec validate appointment.json bundle.xml"]),
];

/// The command line with its required options marked and its examples added.
pub fn complete(command: Command) -> Command {
    completed(command, "")
}

fn completed(command: Command, path: &str) -> Command {
    let command = command.mut_args(marked).mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        completed(sub, path.trim_start())
    });
    match examples(&command, path) {
        None => command,
        Some(examples) => {
            let own = command.get_after_help().map(ToString::to_string);
            let before = own.map_or_else(String::new, |own| format!("{own}\n\n"));
            let heading = if examples.len() == 1 {
                "Example"
            } else {
                "Examples"
            };
            let lines = examples.join("\n  ");
            command.after_help(format!("{before}{heading}:\n  {lines}"))
        }
    }
}

/// The examples of a command; of one with commands below it, the first of these stands for all.
fn examples(command: &Command, path: &str) -> Option<&'static [&'static str]> {
    let below = match path {
        "" => "demo".to_owned(),
        path => format!("{path} "),
    };
    let group = command.has_subcommands();
    let (_, examples) = EXAMPLES.iter().find(|(name, _)| match group {
        true => name.starts_with(&below),
        false => *name == path,
    })?;
    if group {
        examples.get(..1)
    } else {
        Some(examples)
    }
}

fn marked(arg: Arg) -> Arg {
    if !arg.is_required_set() || arg.is_positional() {
        return arg;
    }
    let help = |text: &clap::builder::StyledStr| format!("{REQUIRED}{text}");
    let (short, long) = (arg.get_help().map(help), arg.get_long_help().map(help));
    let arg = match short {
        Some(short) => arg.help(short),
        None => arg,
    };
    match long {
        Some(long) => arg.long_help(long),
        None => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Arguments;
    use clap::CommandFactory;

    /// Every command, with its name.
    fn commands(command: &Command, path: &str, out: &mut Vec<(String, Command)>) {
        let below: Vec<&Command> = command
            .get_subcommands()
            .filter(|c| c.get_name() != "help")
            .collect();
        out.push((path.trim_start().to_owned(), command.clone()));
        for sub in below {
            commands(sub, &format!("{path} {}", sub.get_name()), out);
        }
    }

    fn all() -> Vec<(String, Command)> {
        let mut command = complete(Arguments::command());
        command.build();
        let mut found = Vec::new();
        commands(&command, "", &mut found);
        found
    }

    /// The words of a command line, quotes respected; what follows a redirection is the shell's.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote, mut word) = (Vec::new(), None, String::new());
        for c in line.chars() {
            match (c, quote) {
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (' ', None) => words.push(std::mem::take(&mut word)),
                (c, _) => word.push(c),
            }
        }
        words.push(word);
        words
            .into_iter()
            .take_while(|word| word != ">" && word != "|")
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// Each command shows an example, and marks each option without which it does not run.
    #[test]
    fn every_command_has_an_example_and_marks_what_is_required() {
        let all = all();
        assert!(all.len() > 50, "{}", all.len());
        for (path, mut command) in all {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{path} shows no example\n{help}");
            for arg in command
                .get_arguments()
                .filter(|a| a.is_required_set() && !a.is_positional())
            {
                let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(text.starts_with(REQUIRED), "{path}: {}", arg.get_id());
            }
        }
    }

    /// The examples, of this file and of the commands, are command lines that are understood.
    #[test]
    fn every_example_is_understood() {
        let mut tried = 0;
        for (path, mut command) in all() {
            let help = command.render_long_help().to_string();
            let parts: Vec<&str> = help.split("\\\n").map(str::trim_start).collect();
            let help = parts.join(" ");
            let examples = help
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("uec "));
            for line in examples {
                // What stands far behind a command explains it.
                let line = line.split("   ").next().unwrap_or(line);
                let mut words = words(line);
                // An id that is cut short stands for any.
                for word in &mut words {
                    *word = word.replace('…', "0");
                }
                let read = complete(Arguments::command()).try_get_matches_from(words);
                assert!(
                    read.is_ok(),
                    "{path}: {line}\n{}",
                    read.err().map(|e| e.to_string()).unwrap_or_default()
                );
                tried += 1;
            }
        }
        assert!(tried > 40, "{tried}");
        let known: Vec<String> = all().into_iter().map(|(path, _)| path).collect();
        for (name, _) in EXAMPLES {
            assert!(
                known.iter().any(|path| path == name),
                "there is no command {name}"
            );
        }
    }
}
