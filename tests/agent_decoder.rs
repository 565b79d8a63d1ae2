//! Properties of what the agent reads: any bytes are refused or understood, and what is understood is written back the same.

#![expect(clippy::indexing_slicing, reason = "tests")]

use entra_ssh::internal::openssh::agent_protocol::{
    MAX_MESSAGE_BYTES, OfferedKey, Passphrase, Request, Response, message_length,
};
use entra_ssh::internal::openssh::host_key::{self, Verdict};
use entra_ssh::internal::openssh::session_bind::SessionBind;
use entra_ssh::internal::openssh::userauth::UserauthRequest;
use proptest::collection::vec;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..300)
}

/// Returns a message without its length.
fn message(request: &Request<'_>) -> Vec<u8> {
    request.encode()[4..].to_vec()
}

/// Returns one request of each kind, made of these values.
fn requests<'a>(one: &'a [u8], other: &'a [u8], name: &'a str, flags: u32) -> Vec<Request<'a>> {
    vec![
        Request::Extension {
            name,
            contents: other,
        },
        Request::Lock(Passphrase(one)),
        Request::Unlock(Passphrase(other)),
        Request::Remove { key: one },
        Request::RemoveAll,
        Request::RequestIdentities,
        Request::Sign {
            key: one,
            data: other,
            flags,
        },
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_written_back_the_same(bytes in bytes()) {
        match Request::decode(&bytes) {
            None | Some(Request::Other(_)) => {}
            Some(request) => prop_assert_eq!(message(&request), bytes),
        }
    }

    #[test]
    fn nothing_else_panics_on_any_bytes(bytes in bytes()) {
        let _login = UserauthRequest::decode(&bytes);
        let _keys = Response::identities(&bytes);
        let _contents = Response::success_contents(&bytes);
        if let Some(bind) = SessionBind::decode(&bytes) {
            let verdict = host_key::verify(bind.host_key, bind.session_id, bind.signature);
            prop_assert_ne!(verdict, Verdict::Holds);
        }
    }

    #[test]
    fn every_request_survives_and_none_survives_a_cut(
        one in bytes(), other in bytes(), name in "[a-z@.-]{0,40}", flags in any::<u32>()
    ) {
        for request in requests(&one, &other, &name, flags) {
            let whole = message(&request);
            prop_assert_eq!(Request::decode(&whole), Some(request));
            let cut = &whole[..whole.len() - 1];
            let is_open_ended = matches!(request, Request::Extension { .. });
            if !is_open_ended {
                prop_assert_ne!(Request::decode(cut), Some(request));
            }
        }
    }

    #[test]
    fn listed_keys_survive(
        keys in vec((bytes(), ".{0,60}"), 0..8)
    ) {
        let keys: Vec<OfferedKey> = keys
            .into_iter()
            .map(|(blob, comment)| OfferedKey { blob, comment })
            .collect();
        let written = Response::Identities(keys.clone()).encode();
        prop_assert_eq!(Response::identities(&written[4..]), Some(keys));
        prop_assert_eq!(Response::identities(&written[4..written.len() - 1]).filter(|keys| !keys.is_empty()), None);
    }

    #[test]
    fn lengths_are_taken_up_to_the_limit(length in any::<u32>()) {
        let taken = message_length(length.to_be_bytes());
        let length = usize::try_from(length).unwrap();
        let fits = (1..=MAX_MESSAGE_BYTES).contains(&length);
        prop_assert_eq!(taken, fits.then_some(length));
    }
}
