//! The form of a share of a plan.

use super::values::Parsed;

/// Which share of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardChoice {
    /// Its number, from 0; none if the job that runs the process knows it.
    pub index: Option<u32>,
    /// How many there are.
    pub count: u32,
}

/// The most shares of a plan: as many as a job of Kubernetes can have.
pub const MAX_SHARDS: u32 = 100_000;

/// The share of a plan, such as `0/4` or `auto/4`.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn shard(text: &str) -> Parsed<ShardChoice> {
    let form = || "expected I/N, such as 0/4, or auto/4".to_owned();
    let (index, count) = text.split_once('/').ok_or_else(form)?;
    let digits = |text: &str| -> Option<u32> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse().ok())?
    };
    let count = digits(count).ok_or_else(form)?;
    if count == 0 || count > MAX_SHARDS {
        return Err(format!("a plan has 1 to {MAX_SHARDS} shares"));
    }
    if index == "auto" {
        return Ok(ShardChoice { index: None, count });
    }
    let index = digits(index).ok_or_else(form)?;
    if index >= count {
        return Err(format!(
            "shares are numbered from 0, so the last one of {count} is {}/{count}",
            count - 1
        ));
    }
    Ok(ShardChoice {
        index: Some(index),
        count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_one_of_a_number_of_them() {
        let of = |index, count| Ok(ShardChoice { index, count });
        assert_eq!(shard("0/1"), of(Some(0), 1));
        assert_eq!(shard("3/4"), of(Some(3), 4));
        assert_eq!(shard("auto/8"), of(None, 8));
        for wrong in [
            "",
            "/",
            "1",
            "4/4",
            "5/4",
            "0/0",
            "-1/4",
            "+1/4",
            "1/-4",
            "1/4/4",
            "auto",
            "auto/",
            "Auto/4",
            " 1/4",
            "0/100001",
            "0/99999999999999999999",
            "1.0/4",
        ] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
