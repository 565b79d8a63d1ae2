//! What the program, its tests, benches and fuzz targets use of the library. Other programs must not: it changes without notice.

pub use crate::cli::run;
pub use crate::host::closed_output::look as look_at_standard_output;

pub mod agent {
    pub mod ask {
        pub use crate::agent::ask::{RelayQuestion, Tenancy};
        pub use crate::certificate::RenewWhen;
    }
    pub mod client {
        pub use crate::agent::client::AgentClient;
    }
}

pub mod hex {
    pub use crate::hex::encode;
}

pub mod host {
    pub use crate::host::Host;

    pub mod clock {
        pub use crate::host::clock::SystemClock;
    }
    pub mod env {
        pub use crate::host::env::Env;
    }
    pub mod output {
        pub use crate::host::output::Output;
    }
    pub mod paths {
        pub use crate::host::paths::Paths;
    }
    pub mod standard_streams {
        pub use crate::host::standard_streams::{Input, Output};
    }
    pub mod tls {
        pub use crate::host::tls::client_config;
    }
    pub mod vault {
        pub use crate::host::vault::OwnMemory;
    }
}

pub mod ids {
    pub use crate::ids::{ClientId, HostAlias, Principal, TenantId};
}

pub mod issue {
    pub use crate::issue::certify;
}

pub mod openssh {
    pub mod agent_protocol {
        pub use crate::openssh::agent_protocol::{
            MAX_MESSAGE_BYTES, OfferedKey, Passphrase, Request, Response, message_length,
        };
    }
    pub mod host_key {
        pub use crate::openssh::host_key::{Verdict, verify};
    }
    pub mod session_bind {
        pub use crate::openssh::session_bind::SessionBind;
    }
    pub mod userauth {
        pub use crate::openssh::userauth::UserauthRequest;
    }
}

pub mod line {
    pub use crate::line::Line;
}

pub mod relay {
    pub use crate::relay::{
        Capacity, Connection, Ending, Endpoint, RelayError, carry, carry_standard_streams, dial,
    };

    pub mod frame {
        pub use crate::relay::frame::{
            Decoder, Event, MAX_HEADER_BYTES, Opcode, apply_mask, header,
        };
    }
}

pub mod rfc4251 {
    pub use crate::rfc4251::{Reader, Writer};
}

pub mod secret {
    pub use crate::secret::Secret;
}

pub mod session {
    pub use crate::session::{Profiles, Session};
}

pub mod time {
    pub use crate::time::UnixTime;
}
