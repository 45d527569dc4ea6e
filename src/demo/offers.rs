//! Offers, which hold the throughput of containers, under resource ids in the service's form.
//!
//! The emulator calls them `offer_2_1`, with the numbers of the database and the container. Clients decode
//! resource ids: that of an offer has three bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Bits of each number in a resource id.
const BITS: u32 = 12;

/// The emulator's name of the offer with a resource id, or `None` if it does not have its form.
pub(super) fn name(rid: &str) -> Option<String> {
    let bytes = STANDARD.decode(rid.replace('-', "/")).ok()?;
    let [high, middle, low] = bytes[..] else {
        return None;
    };
    let number = u32::from_be_bytes([0, high, middle, low]);
    Some(format!(
        "offer_{}_{}",
        number >> BITS,
        number & ((1 << BITS) - 1)
    ))
}

/// The emulator's name for a string in a query of offers: the link of a container or of an offer, or the
/// resource id of an offer.
pub(super) fn name_in_query(text: &str) -> Option<String> {
    let text = text.trim_matches('/');
    if let Some(rid) = text.strip_prefix("offers/") {
        return Some(format!("offers/{}/", name(rid)?));
    }
    match text.split('/').collect::<Vec<_>>()[..] {
        ["dbs", _, "colls", container] => Some(container.to_owned()),
        _ => name(text),
    }
}

/// The resource id of the offer with a name of the emulator's. Beyond 4,095 databases, or containers of one,
/// there is none.
fn rid(name: &str) -> Option<String> {
    let (database, container) = name.strip_prefix("offer_")?.split_once('_')?;
    let number = |text: &str| text.parse().ok().filter(|number: &u32| number >> BITS == 0);
    let number = number(database)? << BITS | number(container)?;
    Some(encode(&number.to_be_bytes()[1..]))
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('/', "-")
}

/// Gives each offer in the body of an answer its resource id, and the link of its container.
pub(super) fn translate(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(rid) = rid(text) {
                *text = rid;
            } else if let Some(rid) = text
                .strip_prefix("offers/")
                .and_then(|rest| rid(rest.strip_suffix('/')?))
            {
                *text = format!("offers/{rid}/");
            }
        }
        Value::Array(values) => values.iter_mut().for_each(translate),
        Value::Object(members) => {
            members.values_mut().for_each(translate);
            if let Some(container) = members.get("resource").and_then(Value::as_str)
                && let Some(link) = container_link(container)
            {
                members.insert("resource".to_owned(), link.into());
            }
        }
        _ => {}
    }
}

/// The link of the container with a resource id, which begins with that of its database.
fn container_link(rid: &str) -> Option<String> {
    let bytes = STANDARD.decode(rid.replace('-', "/")).ok()?;
    let database = encode(bytes.get(..4)?);
    Some(format!("dbs/{database}/colls/{rid}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offer_has_a_resource_id_of_three_bytes_and_is_found_by_it() {
        for name_of in ["offer_1_1", "offer_2_1", "offer_4095_4095", "offer_1_4095"] {
            let rid = rid(name_of).unwrap();
            assert_eq!(rid.len(), 4, "{rid}");
            assert!(!rid.contains('/'), "{rid}");
            assert_eq!(name(&rid).as_deref(), Some(name_of));
        }
        for other in ["offer_4096_1", "offer_1", "offer_-1_1", "offers", ""] {
            assert_eq!(rid(other), None, "{other}");
        }
        for (text, name) in [
            ("dbs/AAAAAQ==/colls/AAAAAYAAAAI=/", Some("AAAAAYAAAAI=")),
            ("offers/ABAC/", Some("offers/offer_1_2/")),
            ("ABAC", Some("offer_1_2")),
            ("AAAAAYAAAAI=", None),
            ("V2", None),
            ("", None),
        ] {
            assert_eq!(name_in_query(text).as_deref(), name, "{text}");
        }
        for other in ["", "AAAAAQ==", "AAA", "ключ", "offer_1_1"] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn the_offers_of_an_answer_have_links_in_the_services_form() {
        let mut answer = serde_json::json!({
            "_rid": "", "_count": 1,
            "Offers": [{
                "id": "offer_1_2", "_rid": "offer_1_2", "_self": "offers/offer_1_2/",
                "resource": "AAAAAYAAAAI=", "offerResourceId": "AAAAAYAAAAI=",
                "content": { "offerThroughput": 400 },
            }],
        });
        translate(&mut answer);
        assert_eq!(
            answer["Offers"][0],
            serde_json::json!({
                "id": "ABAC", "_rid": "ABAC", "_self": "offers/ABAC/",
                "resource": "dbs/AAAAAQ==/colls/AAAAAYAAAAI=/", "offerResourceId": "AAAAAYAAAAI=",
                "content": { "offerThroughput": 400 },
            })
        );
    }
}
