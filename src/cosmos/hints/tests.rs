use azure_core::http::StatusCode;
use azure_data_cosmos_driver::CosmosStatus;

use super::*;

fn error(code: u16, sub_status: u16, message: &str) -> CosmosError {
    let mut status = CosmosStatus::new(StatusCode::from(code));
    if sub_status != 0 {
        status = status.with_sub_status(sub_status);
    }
    CosmosError::builder()
        .with_status(status)
        .with_message(message.to_owned())
        .build()
}

#[test]
fn an_explained_error_has_a_hint_and_no_chain_of_the_sdk() {
    let pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    let status = CosmosStatus::new(StatusCode::from(503)).with_sub_status(20011);
    let broken = CosmosError::builder()
        .with_status(status)
        .with_message("sending failed".to_owned())
        .with_source(pipe)
        .build();
    let explained = explain(anyhow::Error::from(broken));
    assert!(!crate::error::is_broken_pipe(&explained), "{explained:?}");
    assert!(
        explained.to_string().contains("sending failed"),
        "{explained}"
    );
    assert_eq!(
        crate::error::hints(&explained),
        ["the service or the network is unavailable: try again later"]
    );
    let expired = CosmosError::builder()
        .with_status(CosmosStatus::new(StatusCode::from(503)).with_sub_status(20010))
        .with_message("error sending request")
        .with_source(std::io::Error::other(
            "invalid peer certificate: certificate expired: verification time 2 (UNIX)",
        ))
        .build();
    for (error, hint) in [
        (
            expired,
            "the server's certificate has expired, or the clock of this machine is ahead: the \
            server's operator has to renew it",
        ),
        (
            error(500, 20020, "not JSON"),
            "the answers are cut or altered on their way, or do not come from Cosmos DB: try again \
            later, or look for a proxy in between",
        ),
    ] {
        let explained = explain(anyhow::Error::from(error));
        assert_eq!(crate::error::hints(&explained), [hint]);
    }
    let explained = explain(anyhow::Error::from(error(400, 0, "what is this")));
    assert_eq!(
        crate::error::hints(&explained),
        [
            "the service refuses this request: an emulator may not support it; -vvv prints the SDK's log of it"
        ]
    );
    let other = explain(anyhow::anyhow!("not of the SDK"));
    assert_eq!(other.to_string(), "not of the SDK");
}
