//! What purges and deletions left behind is being emptied, and nothing else is without a queue.

use std::collections::{BTreeMap, BTreeSet};

use apus_store::StoreError;
use apus_store::fsck::{Look, Space};

use crate::queue_id::QueueId;

/// What the schedule will empty, by account and region.
#[derive(Debug, Default)]
pub(super) struct Emptying {
    generations: BTreeSet<(String, String, u64, u32)>,
    whole: BTreeSet<(String, String, u64)>,
}

impl Emptying {
    pub(super) fn add(&mut self, id: &QueueId, number: u64, generation: u32, whole: bool) {
        let (account, region) = (id.account.to_string(), id.region.to_string());
        if whole {
            self.whole.insert((account.clone(), region.clone(), number));
        }
        self.generations.insert((account, region, number, generation));
    }
}

/// `live` has the generation of each queue's number.
pub(super) async fn check(
    look: &mut Look,
    space: &Space,
    live: &BTreeMap<u64, u32>,
    emptying: &Emptying,
) -> Result<(), StoreError> {
    let Space { account, region, keys } = space;
    let place = |number: u64| format!("queue number {number} in {account} {region}");
    let messages = keys.sub(("messages",));
    let mut rest = messages.all();
    while let Some((number, generation)) = look.next_beginning::<(u64, u32)>(&messages, &rest).await? {
        let emptied = emptying.generations.contains(&(account.clone(), region.clone(), number, generation));
        if live.get(&number) != Some(&generation) && !emptied {
            look.finding(
                place(number),
                format!("generation {generation} has messages for nobody, and stays for ever"),
            );
        }
        rest = rest.behind(&messages.key((number, generation)));
    }
    let own = keys.sub(("own",));
    let mut rest = own.all();
    while let Some((number,)) = look.next_beginning::<(u64,)>(&own, &rest).await? {
        if !live.contains_key(&number) && !emptying.whole.contains(&(account.clone(), region.clone(), number))
        {
            look.finding(place(number), "it has rows of its own, is no queue's, and they stay for ever");
        }
        rest = rest.behind(&own.key((number,)));
    }
    Ok(())
}
