//! A small company and its neighbour.

use std::time::Duration;

use super::{
    Connectivity, FederatedCredential, IssuerKey, MachineSpec, Membership, Options, ResourceKind,
    Role, ServicePrincipal, Tenant, User,
};
use crate::machine::MachineKind;
use crate::workload::{self, EXCHANGE_AUDIENCE};

/// The tenant where most things are.
const CONTOSO: &str = "c0a70500-0000-4000-8000-000000000001";
const CONTOSO_SUBSCRIPTION: &str = "50b5c000-0000-4000-8000-000000000001";
/// The tenant next door.
const FABRIKAM: &str = "fab21ca0-0000-4000-8000-000000000002";
const FABRIKAM_SUBSCRIPTION: &str = "50b5c000-0000-4000-8000-000000000002";

impl Default for Options {
    fn default() -> Self {
        Self {
            agent_delay: Duration::from_secs(1),
            agent_read_limit: 32 * 1024,
            assertion_lifetime: Duration::from_secs(300),
            bearer_lifetime: Duration::from_secs(3_600),
            certificate_lifetime: Duration::from_secs(3_600),
            certifies_ed25519: false,
            device_code_interval: Duration::from_secs(1),
            device_code_lifetime: Duration::from_secs(900),
            hybrid_connections: vec!["plain".to_owned()],
            machine_kind: MachineKind::Embedded,
            machines: default_machines(),
            managed_identity: default_managed_identity(),
            refresh_token_uses: None,
            registration_time: Duration::from_secs(2),
            relay_idle_time: Duration::from_secs(120),
            rendezvous_time: Duration::from_secs(30),
            service_principals: default_service_principals(),
            tenants: default_tenants(),
            users: default_users(),
        }
    }
}

fn default_tenants() -> Vec<Tenant> {
    let tenant = |id: &str, name: &str, subscription_id: &str| Tenant {
        id: id.to_owned(),
        domain: format!("{}.example", name.to_lowercase()),
        display_name: name.to_owned(),
        subscription_id: subscription_id.to_owned(),
        subscription_name: format!("{name} production"),
        provider_registered: true,
    };
    vec![
        tenant(CONTOSO, "Contoso", CONTOSO_SUBSCRIPTION),
        tenant(FABRIKAM, "Fabrikam", FABRIKAM_SUBSCRIPTION),
    ]
}

fn default_users() -> Vec<User> {
    let membership = |tenant: &str, upn: &str, oid: &str| Membership {
        tenant: tenant.to_owned(),
        upn: upn.to_owned(),
        oid: format!("0b1ec700-0000-4000-8000-{oid}"),
    };
    let user = |display_name: &str, memberships: Vec<Membership>, role| User {
        upn: memberships[0].upn.clone(),
        display_name: display_name.to_owned(),
        memberships,
        role,
    };
    vec![
        user(
            "Ada Lovelace",
            vec![
                membership(CONTOSO, "ada@contoso.example", "000000000101"),
                membership(
                    FABRIKAM,
                    "ada_contoso.example#EXT#@fabrikam.example",
                    "000000000202",
                ),
            ],
            Role::Administrator,
        ),
        user(
            "Grace Hopper",
            vec![membership(
                CONTOSO,
                "Grace.Hopper@contoso.example",
                "000000000102",
            )],
            Role::User,
        ),
        user(
            "Radia Perlman",
            vec![membership(CONTOSO, "radia@contoso.example", "000000000103")],
            Role::Reader,
        ),
        user(
            "Linus Pauling",
            vec![
                membership(FABRIKAM, "linus@fabrikam.example", "000000000201"),
                membership(
                    CONTOSO,
                    "Linus_fabrikam.example#EXT#@contoso.example",
                    "000000000104",
                ),
            ],
            Role::Administrator,
        ),
    ]
}

/// The app that pipelines, pods and machines become.
fn pipeline() -> ServicePrincipal {
    let trust = |(issuer, subject): (&str, &str), issuer_key| FederatedCredential {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        audience: EXCHANGE_AUDIENCE.to_owned(),
        issuer_key,
    };
    let entra = format!("{{authority}}/{CONTOSO}/v2.0");
    let machine = default_managed_identity();
    ServicePrincipal {
        client_id: "a9911ca7-0000-4000-8000-000000000303".to_owned(),
        display_name: "pipeline".to_owned(),
        tenant: CONTOSO.to_owned(),
        oid: "0b1ec700-0000-4000-9000-000000000303".to_owned(),
        client_secret: "sandbox-secret~000000000303".to_owned(),
        certificates: Vec::new(),
        federated_credentials: vec![
            trust(workload::GITHUB, IssuerKey::Workload),
            trust(workload::AZURE_PIPELINES, IssuerKey::Workload),
            trust(workload::KUBERNETES, IssuerKey::Workload),
            trust((&entra, &machine.oid), IssuerKey::Entra),
        ],
        role: Role::Administrator,
    }
}

fn default_managed_identity() -> ServicePrincipal {
    ServicePrincipal {
        client_id: "a9911ca7-0000-4000-8000-000000000304".to_owned(),
        display_name: "machine".to_owned(),
        tenant: CONTOSO.to_owned(),
        oid: "0b1ec700-0000-4000-9000-000000000304".to_owned(),
        client_secret: String::new(),
        certificates: Vec::new(),
        federated_credentials: Vec::new(),
        role: Role::Reader,
    }
}

fn default_service_principals() -> Vec<ServicePrincipal> {
    let principal = |name: &str, tenant: &str, number: &str| ServicePrincipal {
        client_id: format!("a9911ca7-0000-4000-8000-{number}"),
        display_name: name.to_owned(),
        tenant: tenant.to_owned(),
        oid: format!("0b1ec700-0000-4000-9000-{number}"),
        client_secret: format!("sandbox-secret~{number}"),
        certificates: Vec::new(),
        federated_credentials: vec![FederatedCredential {
            issuer: workload::GITHUB.0.to_owned(),
            subject: workload::GITHUB.1.to_owned(),
            audience: EXCHANGE_AUDIENCE.to_owned(),
            issuer_key: IssuerKey::Any,
        }],
        role: Role::Administrator,
    };
    vec![
        principal("deploy", CONTOSO, "000000000301"),
        principal("backup", FABRIKAM, "000000000302"),
        pipeline(),
    ]
}

fn default_machines() -> Vec<MachineSpec> {
    let machine = |name: &str, group: &str, kind| {
        MachineSpec::new(name, group, CONTOSO_SUBSCRIPTION, kind).with_tag("env", "sandbox")
    };
    vec![
        machine("web01", "rg-web", ResourceKind::Arc).with_tag("role", "web"),
        machine("web02", "rg-web", ResourceKind::Arc).with_tag("role", "web"),
        machine("new01", "rg-new", ResourceKind::Arc).with_connectivity(Connectivity::Absent),
        machine("db01", "rg-db-east", ResourceKind::Arc).with_tag("role", "db"),
        machine("db01", "rg-db-west", ResourceKind::Arc).with_tag("role", "db"),
        machine("vm01", "rg-vm", ResourceKind::Vm),
        machine("lonely01", "rg-lonely", ResourceKind::Arc)
            .with_connectivity(Connectivity::NobodyListens),
        MachineSpec::new("fab01", "rg-fab", FABRIKAM_SUBSCRIPTION, ResourceKind::Arc),
    ]
}
