//! The plan of a query, which the driver requests again for each range and each continuation.
//!
//! `cosmos::query` has had the service plan the query, and found that each range can be read by itself. So all further
//! requests for that plan are answered here: there is nothing to do with the rows, and the range is read as a whole. The
//! ranges that the service names in its plan are left out before, for ranges as a whole: a part of one would look like
//! a split.

use std::sync::{Mutex, PoisonError};

use azure_core::http::headers::{HeaderName, Headers};
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};

const IS_PLAN: HeaderName = HeaderName::from_static("x-ms-cosmos-is-query-plan-request");

/// A plan without anything to do, in the service's form.
const PLAN: &str = r#"{
    "partitionedQueryExecutionInfoVersion": 2,
    "queryInfo": {
        "distinctType": "None", "top": null, "offset": null, "limit": null, "orderBy": [],
        "orderByExpressions": [], "groupByExpressions": [], "groupByAliases": [], "aggregates": [],
        "groupByAliasToAggregateType": {}, "rewrittenQuery": "", "hasSelectValue": false,
        "hasNonStreamingOrderBy": false
    },
    "queryRanges": [{ "min": "", "max": "FF", "isMinInclusive": true, "isMaxInclusive": false }]
}"#;

/// The body of the query whose plan is known.
#[derive(Debug, Default)]
pub(super) struct KnownPlan(Mutex<Option<Vec<u8>>>);

impl KnownPlan {
    /// The query with this body has nothing that is about the rows of all ranges.
    pub(super) fn know(&self, body: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    /// The answer to `request`, if it is for that plan.
    pub(super) fn answer(&self, request: &HttpRequest) -> Option<HttpResponse> {
        request.headers.get_optional_str(&IS_PLAN)?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (request.body.as_deref() == Some(known.as_deref()?)).then(|| HttpResponse {
            status: 200,
            headers: Headers::new(),
            body: PLAN.as_bytes().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::requests::read_of;
    use super::*;

    #[test]
    fn only_the_plan_of_the_known_query_is_answered() {
        let known = KnownPlan::default();
        let mut request = read_of("/dbs/d/colls/c/docs", &[(IS_PLAN, "True")]);
        request.body = Some("q".into());
        assert!(known.answer(&request).is_none());
        known.know(b"q".to_vec());
        let answer = known.answer(&request).unwrap();
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
        request.body = Some("other".into());
        assert!(known.answer(&request).is_none());
        let mut page = read_of("/dbs/d/colls/c/docs", &[]);
        page.body = Some("q".into());
        assert!(known.answer(&page).is_none());
    }
}
