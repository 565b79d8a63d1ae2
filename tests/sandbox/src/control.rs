//! The control service: approves, injects, and tells what was asked.
//!
//! ```text
//! POST   /approve   {"user_code","upn"}   answers a device code in the name of a user
//! POST   /decline   {"user_code"}         refuses it
//! GET    /pending                         the user codes that wait for an answer
//! POST   /fault     {"where",…,"times"}   see the `fault` module
//! DELETE /fault                           clears all faults
//! POST   /client-certificate {"client_id"}  makes and registers one, and says where it is
//! POST   /federated-token                 writes a fresh token of a Kubernetes service account
//! GET    /requests                        the journal, oldest first
//! DELETE /requests                        clears the journal
//! ```

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::entra::device_code;
use crate::fault::Injection;
use crate::http::{Reply, Request};
use crate::workload::{certificate, kubernetes};
use crate::world::World;

#[derive(Deserialize)]
struct Approve {
    user_code: String,
    upn: String,
}

#[derive(Deserialize)]
struct Certify {
    client_id: String,
}

#[derive(Deserialize)]
struct Decline {
    user_code: String,
}

pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    route(world, request).unwrap_or_else(|what| Reply::json(400, &json!({"error": what})))
}

fn route(world: &World, request: &Request) -> Result<Reply, String> {
    let done = || Reply::json(200, &json!({}));
    match (&request.method, request.path.as_str()) {
        (&Method::POST, "/approve") => {
            let body: Approve = body(request)?;
            device_code::approve(world, &body.user_code, &body.upn).map(|()| done())
        }
        (&Method::POST, "/decline") => {
            let body: Decline = body(request)?;
            device_code::decline(world, &body.user_code).map(|()| done())
        }
        (&Method::GET, "/pending") => Ok(Reply::json(200, &json!(device_code::pending(world)))),
        (&Method::POST, "/fault") => {
            world.faults.add(body::<Injection>(request)?);
            Ok(done())
        }
        (&Method::DELETE, "/fault") => {
            world.faults.clear();
            Ok(done())
        }
        (&Method::POST, "/client-certificate") => {
            let body: Certify = body(request)?;
            let made = certificate::make(world, &body.client_id)?;
            Ok(Reply::json(
                200,
                &json!({
                    "pem": made.pem,
                    "pkcs12": made.pkcs12,
                    "protected_pkcs12": made.protected_pkcs12,
                    "password": made.password,
                    "thumbprint": made.thumbprint,
                }),
            ))
        }
        (&Method::POST, "/federated-token") => {
            let file = kubernetes::write(world).map_err(|error| error.to_string())?;
            Ok(Reply::json(200, &json!({"file": file})))
        }
        (&Method::GET, "/requests") => Ok(Reply::json(200, &json!(world.journal.rows()))),
        (&Method::DELETE, "/requests") => {
            world.journal.clear();
            Ok(done())
        }
        (method, path) => Ok(Reply::json(
            404,
            &json!({"error": format!("there is no {method} {path}")}),
        )),
    }
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}
