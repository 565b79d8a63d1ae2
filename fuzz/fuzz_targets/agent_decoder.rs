//! Whatever a client of the agent sends, and whatever an agent answers us: nothing panics, and what is read is written back
//! byte for byte.

#![no_main]

use entra_ssh::internal::openssh::agent_protocol::{Request, Response, message_length};
use entra_ssh::internal::openssh::host_key;
use entra_ssh::internal::openssh::session_bind::SessionBind;
use entra_ssh::internal::openssh::userauth::UserauthRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(request) = Request::decode(bytes) {
        let written = request.encode();
        let (length, message) = written.split_first_chunk().expect("a length is written");
        assert_eq!(message_length(*length), Some(message.len()));
        // Of what this agent does not do, the type alone is kept.
        if !matches!(request, Request::Other(_)) {
            assert_eq!(message, bytes);
        }
        assert_eq!(Request::decode(message), Some(request));
    }
    if let Some(bind) = SessionBind::decode(bytes) {
        let _verdict = host_key::verify(bind.host_key, bind.session_id, bind.signature);
    }
    let _login = UserauthRequest::decode(bytes);
    if let Some(keys) = Response::identities(bytes) {
        let written = Response::Identities(keys.clone()).encode();
        assert_eq!(Response::identities(&written[4..]), Some(keys));
    }
    let _contents = Response::success_contents(bytes);
});
