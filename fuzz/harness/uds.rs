//! UDS requests and responses from arbitrary bytes.
//!
//! What is understood encodes to the bytes it came from; a refusal names the service that was asked for.

use protocol::uds::{Request, Response};

/// One message.
pub(crate) fn run(data: &[u8]) {
    match Request::decode(data) {
        Ok(request) => {
            assert_eq!(request.service(), data[0]);
            assert_eq!(request.encode().as_deref(), Some(data));
        }
        Err((service, refusal)) => {
            assert_eq!(service, data.first().copied().unwrap_or(0));
            let bytes = Response::refuse(service, refusal).encode();
            assert_eq!(Response::decode(&bytes), Some(Response::refuse(service, refusal)));
        }
    }
    if let Some(response) = Response::decode(data) {
        assert_eq!(&*response.encode(), data);
    }
}
