//! The commands that `demo` reads from standard input, one on each line.

use super::account::DemoAccount;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Split this partition, or the largest one.
    Split(Option<u32>),
    /// Merge these two partitions.
    Merge(u32, u32),
    /// Exit.
    Quit,
}

impl Command {
    /// Parses a line. An empty one is not a command; for an invalid one, the error is the message.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = |word: &str| {
            word.parse::<u32>()
                .map_err(|_| format!("`{word}` is not a partition id, which is a number"))
        };
        Ok(Some(match words.as_slice() {
            [] => return Ok(None),
            ["quit"] => Self::Quit,
            ["split"] => Self::Split(None),
            ["split", partition] => Self::Split(Some(id(partition)?)),
            ["merge", left, right] => Self::Merge(id(left)?, id(right)?),
            _ => {
                return Err(format!(
                    "`{}` is not a command: use `split`, `split ID`, `merge ID ID` or `quit`",
                    words.join(" ")
                ));
            }
        }))
    }

    /// Executes the command. Returns a message about the result, and whether it succeeded.
    pub(super) async fn execute(self, account: &DemoAccount) -> (String, bool) {
        match self.try_execute(account).await {
            Ok(message) => (message, true),
            Err(error) => (format!("{error:#}"), false),
        }
    }

    async fn try_execute(self, account: &DemoAccount) -> anyhow::Result<String> {
        Ok(match self {
            Self::Split(id) => {
                let id = match id {
                    Some(id) => id,
                    None => account.largest_partition().await?,
                };
                let [lower, upper] = account.split(id).await?;
                format!("split partition {id} into {lower} and {upper}")
            }
            Self::Merge(left, right) => {
                let merged = account.merge(left, right).await?;
                format!("merged partitions {left} and {right} into {merged}")
            }
            Self::Quit => "quit".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_a_message_that_lists_them() {
        assert_eq!(Command::parse(" split \n"), Ok(Some(Command::Split(None))));
        assert_eq!(Command::parse("split 3"), Ok(Some(Command::Split(Some(3)))));
        assert_eq!(Command::parse("merge 4 5"), Ok(Some(Command::Merge(4, 5))));
        assert_eq!(Command::parse("quit\r\n"), Ok(Some(Command::Quit)));
        assert_eq!(Command::parse("\n"), Ok(None));
        assert_eq!(
            Command::parse("split x"),
            Err("`x` is not a partition id, which is a number".to_owned())
        );
        for line in ["exit", "merge 4", "split 1 2"] {
            let message = Command::parse(line).unwrap_err();
            assert!(message.contains("merge ID ID"), "{message}");
        }
    }
}
