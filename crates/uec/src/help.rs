//! What `--help` shows beside the descriptions: which options are required, and an example of each command.
//!
//! A test reads every example as a command line, so that none of them goes stale.

use booking::count::plural;
use clap::{Arg, Command};

/// How the help of a required option begins.
const REQUIRED: &str = "[required] ";
/// Examples of commands; commands that bring examples of their own are not here.
const EXAMPLES: &[&str] = &[
    "uec assure consumer --listen 127.0.0.1:9100 --out evidence-consumer",
    "uec assure provider --endpoint https://booking.fernhill.example/STU3/1/FX101 --from-asid 918999000099 --to-asid 918999000011 --service 2000000011 --out evidence-provider",
    "uec assure provider --list",
    "uec assure plan list",
    "uec assure plan list utc --json",
    "uec assure plan show plan-fernhill",
    "uec assure plan sign plan-fernhill --by 'Grace Hazel' --role provider-lead",
    "uec assure plan report plan-fernhill",
    "uec assure plan release plan-fernhill",
    "uec assure report evidence-provider evidence-consumer --scal scal",
    "uec demo",
    "uec demo --tls --port 9000 --data /tmp/uec-demo",
    "uec consumer endpoint --service 2000000011",
    "uec provider serve --config /etc/uec/provider.toml",
    "uec provider serve --database sqlite:demo.sqlite --listen 127.0.0.1:8001 --seed demo",
    "uec provider apply fernhill.toml --dry-run",
    "uec provider apply fernhill.toml --config /etc/uec/provider.toml",
    "uec provider export --provider FX101 --database sqlite:provider.sqlite > fernhill.toml",
    "uec provider slots list --service 2000000011 --from 2031-03-04 --to 2031-03-04 --database sqlite:provider.sqlite",
    "uec provider slots list --count --json --config /etc/uec/provider.toml",
    "uec provider audit verify --config /etc/uec/provider.toml",
    "uec provider audit verify --database sqlite:provider.sqlite --anchors /backup/anchors --key audit.pub",
    "uec provider audit key /etc/uec/audit.key --make",
    "uec provider audit head --config /etc/uec/provider.toml",
    "uec provider audit accept-loss --config /etc/uec/provider.toml --because 'the disk was lost, last night'",
    "uec provider referral list --provider FX101 --config /etc/uec/provider.toml",
    "uec provider referral show 1b2fd6ca-41db-4eaa-a8fd-41b471b360d0 --config /etc/uec/provider.toml",
    "uec provider referral quarantine --provider FX101 --config /etc/uec/provider.toml",
    "uec provider migrate --database postgres://uec@db.example/uec",
    "uec provider backup --to /backup/provider.sqlite --config /etc/uec/provider.toml",
    "uec provider restore --from /backup/provider.sqlite --database sqlite:provider.sqlite --replace",
    "uec sandbox serve",
    "uec sandbox serve --dos 9003 --world region.toml",
    "uec sandbox world > region.toml",
    "uec sandbox check region.toml --strict",
    "uec token new --aud https://booking.fernhill.example/STU3/1/FX101 --for book",
    "uec token show eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.",
    "uec validate appointment.json bundle.xml",
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
    let examples = examples(&command, path);
    if examples.is_empty() {
        return command;
    }
    let own = command.get_after_help().map(ToString::to_string);
    let before = own.map_or_else(String::new, |own| format!("{own}\n\n"));
    let heading = plural(examples.len(), "Example", "Examples");
    let lines = examples.join("\n  ");
    command.after_help(format!("{before}{heading}:\n  {lines}"))
}

/// The examples of a command; of one with commands below it, the first of these stands for all.
fn examples(command: &Command, path: &str) -> Vec<&'static str> {
    let path = match path {
        "" => "demo",
        path => path,
    };
    let all = EXAMPLES.iter().copied();
    let mut of_path = all.filter(|line| is_of(line, path));
    match command.has_subcommands() {
        true => of_path.next().into_iter().collect(),
        false => of_path.collect(),
    }
}

/// Whether a command line is one of this command, or of a command below it.
fn is_of(line: &str, path: &str) -> bool {
    let mut words = line.split_whitespace().skip(1);
    path.split_whitespace()
        .all(|part| words.next() == Some(part))
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
        let mut known = all();
        known.retain(|(_, command)| !command.has_subcommands());
        for line in EXAMPLES {
            let is_known = known.iter().any(|(path, _)| is_of(line, path));
            assert!(is_known, "there is no command of {line}");
        }
    }
}
