//! The rules of the protocol that can be switched off.

/// What a process does wrong. The numbers are those of the rules in docs/object-store-protocol.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// The fence: the state is replaced whatever version is stored.
    NoCondition,
    /// The fence: names of objects do not contain the claim.
    SharedNames,
    /// 1: all processes of an export have one claim id.
    FixedClaim,
    /// 2: after an unclear answer the version is read, and the text is not compared.
    VersionOnly,
    /// 2: a write is repeated with other contents under its number, and settled by claim id and number.
    NumberOnly,
    /// 3: a process appends to the upload that its predecessor began.
    Continued,
    /// 3: an upload without parts is sealed.
    SealedEmpty,
    /// 4: an upload is recorded together with its first part.
    RecordedLate,
    /// 5: an upload is completed, then the commit that seals it is made.
    CompletedFirst,
    /// 5: a part is committed though its answer was unclear.
    Unacknowledged,
    /// 5: what the state names is aborted before the state is claimed.
    AbortedFirst,
    /// 5: that an object is listed is committed before the manifest has it.
    ListedLate,
    /// 6: the object is not looked at after its upload was completed: the call is taken for done.
    NotLookedAt,
    /// 6: that completing is refused is taken for an upload that is gone, and its span is read again.
    RefusedIsGone,
    /// 7: the manifest has the claim of who wrote it.
    SignedManifest,
    /// 7: the manifest is not looked at before an upload is completed.
    ManifestUnread,
    /// 8: "it exists" at the first start is taken for the process's own success.
    ExistsIsOurs,
    /// 9: an upload that is gone is taken for one that was listed.
    GoneIsListed,
    /// 9: the span of an upload that is gone is read again unasked, whoever has sealed it.
    RepairedUnasked,
    /// 9: a repair gives an upload up, and leaves the position where it is.
    RepairedInPlace,
    /// 9: a repair gives up the upload that is gone, and not those after it.
    RepairedAlone,
    /// 10: a stop leaves what is open.
    StoppedOpen,
    /// 10: a stop leaves what is sealed.
    StoppedSealed,
    /// 10: a stop does not record what it has listed.
    StoppedUnrecorded,
    /// 11: the verification reads the state before it lists the objects.
    StateFirst,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::NoCondition,
        Self::SharedNames,
        Self::FixedClaim,
        Self::VersionOnly,
        Self::NumberOnly,
        Self::Continued,
        Self::SealedEmpty,
        Self::RecordedLate,
        Self::CompletedFirst,
        Self::Unacknowledged,
        Self::AbortedFirst,
        Self::ListedLate,
        Self::NotLookedAt,
        Self::RefusedIsGone,
        Self::SignedManifest,
        Self::ManifestUnread,
        Self::ExistsIsOurs,
        Self::GoneIsListed,
        Self::RepairedUnasked,
        Self::RepairedInPlace,
        Self::RepairedAlone,
        Self::StoppedOpen,
        Self::StoppedSealed,
        Self::StoppedUnrecorded,
        Self::StateFirst,
    ];
}
