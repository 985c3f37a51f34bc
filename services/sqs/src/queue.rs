//! A queue as a thing that is made, changed, purged and deleted: the rules, given what is there and what time it is.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_time::Timestamp;

use crate::attributes::{AttributeError, Attributes};
use crate::permissions::{self, Permission, PermissionError};
use crate::queue_id::QueueId;
use crate::store::QueueRecord;
use crate::tags::{self, TagError, Tags};

/// How long a name rests after its queue was deleted.
pub(crate) const NAME_RESTS: Duration = Duration::from_mins(1);
/// How long a queue rests between two purges.
const PURGE_RESTS: Duration = Duration::from_mins(1);

/// What is to become of a queue.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Make it, with a number of its own; or find it with the same values of the attributes that are given.
    Create {
        number: u64,
        given: BTreeMap<String, String>,
        tags: Tags,
    },
    SetAttributes(BTreeMap<String, String>),
    Tag(Tags),
    Untag(Vec<String>),
    AddPermission(Permission),
    RemovePermission(String),
    Purge,
    Delete,
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is as it should be.
    Keep,
    Put(QueueRecord),
    /// As [`Self::Put`], and the messages that there are go.
    Empty(QueueRecord),
    Delete,
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandError {
    NoQueue,
    /// It is there with another value of that attribute.
    Exists(String),
    DeletedRecently,
    /// The queue of that name was purged less than a minute ago.
    PurgeInProgress(String),
    Attribute(AttributeError),
    Tag(TagError),
    Permission(PermissionError),
}

/// What a command means for the queue, if there is one; `deleted_at` is when the last of its name was deleted.
pub(crate) fn decide(
    command: &Command,
    id: &QueueId,
    queue: Option<&QueueRecord>,
    deleted_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Change, CommandError> {
    if let Command::Create { number, given, tags } = command {
        return create(*number, given, tags, id, queue, deleted_at, now);
    }
    let queue = queue.ok_or(CommandError::NoQueue)?;
    let modified = |attributes: Attributes| {
        Change::Put(QueueRecord { attributes, modified_at_micros: now.as_micros(), ..queue.clone() })
    };
    let tagged = |tags: Tags| Change::Put(QueueRecord { tags, ..queue.clone() });
    let own = &queue.attributes;
    Ok(match command {
        Command::Create { .. } => Change::Keep,
        Command::SetAttributes(given) => modified(own.with(given)?),
        Command::Tag(given) => tagged(tags::added(&queue.tags, given)?),
        Command::Untag(keys) => {
            let mut tags = queue.tags.clone();
            tags.retain(|key, _| !keys.contains(key));
            tagged(tags)
        }
        Command::AddPermission(permission) => {
            let policy = Some(permission.added_to(own.policy.as_deref(), id)?);
            modified(Attributes { policy, ..own.clone() })
        }
        Command::RemovePermission(label) => {
            let policy = permissions::removed_from(own.policy.as_deref(), label)?;
            modified(Attributes { policy, ..own.clone() })
        }
        Command::Purge => {
            let last = queue.purged_at_micros.map(Timestamp::from_micros);
            if last.is_some_and(|last| now < last + PURGE_RESTS) {
                return Err(CommandError::PurgeInProgress(id.name.to_string()));
            }
            let generation = queue.generation + 1;
            Change::Empty(QueueRecord {
                generation,
                purged_at_micros: Some(now.as_micros()),
                ..queue.clone()
            })
        }
        Command::Delete => Change::Delete,
    })
}

fn create(
    number: u64,
    given: &BTreeMap<String, String>,
    tags: &Tags,
    id: &QueueId,
    queue: Option<&QueueRecord>,
    deleted_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Change, CommandError> {
    let attributes = Attributes::for_new(id.name.is_fifo(), given)?;
    let tags = tags::added(&Tags::new(), tags)?;
    if let Some(queue) = queue {
        return match queue.attributes.difference(&attributes, given.keys()) {
            Some(name) => Err(CommandError::Exists(name.into())),
            None => Ok(Change::Keep),
        };
    }
    if deleted_at.is_some_and(|deleted_at| now < deleted_at + NAME_RESTS) {
        return Err(CommandError::DeletedRecently);
    }
    let now = now.as_micros();
    Ok(Change::Put(QueueRecord {
        number,
        attributes,
        created_at_micros: now,
        modified_at_micros: now,
        generation: 0,
        tags,
        purged_at_micros: None,
    }))
}

impl From<AttributeError> for CommandError {
    fn from(error: AttributeError) -> Self {
        Self::Attribute(error)
    }
}

impl From<TagError> for CommandError {
    fn from(error: TagError) -> Self {
        Self::Tag(error)
    }
}

impl From<PermissionError> for CommandError {
    fn from(error: PermissionError) -> Self {
        Self::Permission(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> QueueId {
        QueueId::from_arn("arn:aws:sqs:us-east-1:000000000000:jobs").expect("a queue")
    }

    fn create_with(name: &str, value: &str) -> Command {
        let given = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Command::Create { number: 7, given, tags: Tags::new() }
    }

    #[test]
    fn a_name_rests_after_a_deletion_and_a_queue_after_a_purge() {
        let at = Timestamp::from_secs;
        let make = create_with("DelaySeconds", "1");
        let recently = decide(&make, &id(), None, Some(at(100)), at(159));
        assert_eq!(recently, Err(CommandError::DeletedRecently));
        let Ok(Change::Put(made)) = decide(&make, &id(), None, Some(at(100)), at(160)) else {
            panic!("it is made")
        };
        let Ok(Change::Empty(purged)) = decide(&Command::Purge, &id(), Some(&made), None, at(160)) else {
            panic!("it is purged")
        };
        assert_eq!(purged.generation, 1);
        let again = |now| decide(&Command::Purge, &id(), Some(&purged), None, at(now));
        assert_eq!(again(219), Err(CommandError::PurgeInProgress("jobs".into())));
        assert!(matches!(again(220), Ok(Change::Empty(_))));
    }

    #[test]
    fn a_queue_is_found_by_the_attributes_that_are_given() {
        let now = Timestamp::from_secs(1);
        let decide = |command: &Command, queue| decide(command, &id(), queue, None, now);
        let Ok(Change::Put(made)) = decide(&create_with("DelaySeconds", "1"), None) else {
            panic!("it is made")
        };
        assert_eq!(decide(&create_with("DelaySeconds", "1"), Some(&made)), Ok(Change::Keep));
        assert_eq!(
            decide(&create_with("DelaySeconds", "2"), Some(&made)),
            Err(CommandError::Exists("DelaySeconds".into()))
        );
        let none = Command::Create { number: 8, given: BTreeMap::new(), tags: Tags::new() };
        assert_eq!(decide(&none, Some(&made)), Ok(Change::Keep));
        for command in [Command::Purge, Command::Delete, Command::Tag(Tags::new())] {
            assert_eq!(decide(&command, None), Err(CommandError::NoQueue));
        }
    }
}
