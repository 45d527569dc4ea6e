//! Lists in pages, and queries of offers.

use serde_json::{Value, json};

use super::routes::{Answer, Asked};

/// A page of a list: from the entry that the continuation names, as many as the gateway sends at once.
pub(super) fn page(asked: &Asked, member: &str, all: &Value, page: usize) -> Answer {
    let entries = all[member].as_array().expect("it is a list");
    let from = match asked.text("x-ms-continuation").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(from)) if from <= entries.len() => from,
        Some(_) => return Answer::error(400, None, "BadRequest", "the continuation is not ours"),
    };
    let to = (from + page).min(entries.len());
    let mut list = all.clone();
    list[member] = entries[from..to].to_vec().into();
    list["_count"] = (to - from).into();
    let answer = Answer::json(&list);
    if to == entries.len() {
        return answer;
    }
    answer.header("x-ms-continuation", to)
}

/// A query of offers: all, or those of the resource that its only parameter names.
pub(super) fn offers(asked: &Asked, offers: &[(String, Value)], size: usize) -> Answer {
    let Ok(query) = serde_json::from_slice::<Value>(&asked.body) else {
        return Answer::error(400, None, "BadRequest", "the query is not JSON");
    };
    let wanted = query["parameters"][0]["value"].as_str();
    let asks_for_one = query["query"]
        .as_str()
        .is_some_and(|text| text.contains("@rid"));
    if asks_for_one != wanted.is_some() {
        return Answer::error(400, None, "BadRequest", "the query lacks its parameter");
    }
    let selected: Vec<Value> = offers
        .iter()
        .filter(|(rid, _)| wanted.is_none_or(|wanted| wanted == rid))
        .enumerate()
        .map(|(number, (rid, content))| {
            json!({
                "id": format!("of{number}"), "_rid": format!("of{number}"), "offerVersion": "V2",
                "offerResourceId": rid, "content": content,
            })
        })
        .collect();
    let all = json!({ "_rid": "", "Offers": selected });
    page(asked, "Offers", &all, size)
}
