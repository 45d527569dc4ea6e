//! The leases of Microsoft's change feed processors: .NET, Java and Azure Functions.
//!
//! A processor divides a container's feed among its instances by documents in a lease container, which say who
//! reads which range, and how far it is. [`read()`] reads them, [`lease`] understands each of their forms, and
//! [`group`] finds which belong together. [`assess`] says what state they are in, [`check()`] what is wrong with
//! them, and [`repair()`] what can be done about it. [`change`] writes them: with the condition that nobody else
//! has written them, and so that their owners notice.

mod adopt;
mod assess;
mod attempt;
mod change;
mod check;
mod convert;
mod create;
mod document;
mod group;
mod java_token;
mod lag;
mod lease;
mod moment;
mod owned;
mod portable;
mod prefix;
mod purpose;
mod ranges;
mod read;
mod repair;
mod show;
mod start;
mod write;

pub(crate) use adopt::{ensure_adoptable, ensure_reached, leases_of, ranges_at};
pub(crate) use assess::{Intervals, is_alive, rows};
pub(crate) use attempt::{Attempt, Send, attempt, fetch};
pub(crate) use change::{Change, Changed, Changing};
pub(crate) use check::{Finding, check};
pub(crate) use convert::{Conversion, Converting};
pub(crate) use create::{Common, NewLease, marker};
pub(crate) use document::Document;
pub(crate) use group::{Group, groups, without_shadows};
pub(crate) use lag::measurable;
pub(crate) use lease::{Checkpoint, Dialect, Form, Lease};
pub(crate) use owned::{Mark, Stamp, lock};
pub(crate) use portable::{export, import};
pub(crate) use prefix::{Place, Prefix, Target, database_of as database_rid};
pub(crate) use purpose::{Feeds, FilesPlace, Purpose, RangeStart};
pub(crate) use ranges::{gaps, range_of, token_of};
pub(crate) use read::{KeyedBy, read};
pub(crate) use repair::{Repair, repair};
pub(crate) use show::{Assessed, GroupObject, List, shown_name, table_of};
pub(crate) use start::{ensure_possible, etag_at};
pub(crate) use write::{Written, create, delete};
