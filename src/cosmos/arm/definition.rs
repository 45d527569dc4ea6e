//! The definition of a container in the form of the control plane, which is that of the service but for a few members.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::cosmos::definition::ContainerDefinition;

/// What the service says of every container that was made without it, and the control plane does not know.
const DEFAULTS: [(&str, &str); 3] = [
    ("geospatialConfig", r#"{"type":"Geography"}"#),
    ("changeFeedPolicy", r#"{"retentionDuration":0}"#),
    ("changeFeedPolicy", "null"),
];

impl ContainerDefinition {
    /// What a template of the control plane says about the container, besides its name: names and JSON values, in the
    /// order of the service.
    pub fn arm_members(&self) -> Vec<(String, String)> {
        let is_default = |name: &str, value: &str| {
            let value: String = value.split_ascii_whitespace().collect();
            DEFAULTS
                .iter()
                .any(|(own, default)| *own == name && *default == value)
        };
        self.creation_members()
            .into_iter()
            .filter(|(name, value)| !is_default(name, value))
            .map(|(name, value)| {
                let value = match name.as_str() {
                    "partitionKey" => without_system_key(value),
                    _ => value.to_owned(),
                };
                (name, value)
            })
            .collect()
    }

    /// The definition of it under `name`, as the control plane takes it.
    pub(in crate::cosmos) fn arm_body(&self, name: &str) -> String {
        let mut body = format!("{{\"id\":{}", serde_json::Value::from(name));
        for (name, value) in self.arm_members() {
            body.push_str(&format!(",{}:{value}", serde_json::Value::from(name)));
        }
        body.push('}');
        body
    }
}

/// A partition key without the member that the service computes.
fn without_system_key(key: &str) -> String {
    type Members<'a> = BTreeMap<&'a str, &'a RawValue>;
    let Ok(mut members) = serde_json::from_str::<Members<'_>>(key) else {
        return key.to_owned();
    };
    if members.remove("systemKey").is_none() {
        return key.to_owned();
    }
    serde_json::to_string(&members).unwrap_or_else(|_| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_control_plane_does_not_know_is_left_out_where_it_is_the_default() {
        let text = r#"{"id":"orders","partitionKey":{"paths":["/a"],"kind":"Hash","systemKey":true},"_rid":"x",
            "geospatialConfig":{"type": "Geography"},"changeFeedPolicy":{"retentionDuration":0},"defaultTtl":-1}"#;
        let parse = |text: &str| {
            let text = RawValue::from_string(text.to_owned()).unwrap();
            ContainerDefinition::parse(text).unwrap()
        };
        assert_eq!(
            parse(text).arm_body("co'py"),
            r#"{"id":"co'py","partitionKey":{"kind":"Hash","paths":["/a"]},"defaultTtl":-1}"#
        );
        let other = text
            .replace("Geography", "Geometry")
            .replace("Duration\":0", "Duration\":60");
        let body = parse(&other).arm_body("a");
        assert!(body.contains("Geometry") && body.contains("60"), "{body}");
    }
}
