//! The managed hosts of the session, in every form that `config add` writes.

/// What is added to the ssh config: each identity, route, port, address and account.
pub(super) const HOSTS: [&[&str]; 13] = [
    &["web01"],
    &["web02", "--identity", "file", "--alias", "file"],
    &[
        "rg-db-east/db01",
        "--identity",
        "system-agent",
        "--port",
        "2222",
        "--alias",
        "system-agent",
    ],
    &[
        "rg-db-west/db01",
        "--local-user",
        "admin",
        "--alias",
        "local-user",
    ],
    &[
        "lonely01",
        "--local-user",
        "bob",
        "--private-key-file",
        "own",
        "--alias",
        "private-key",
    ],
    &[
        "web02",
        "--public-key-file",
        "own.pub",
        "--alias",
        "own-key",
    ],
    &["vm01"],
    &["vm01", "--prefer-private-ip", "--alias", "private-address"],
    &[
        "vm01",
        "--ip",
        "10.0.0.4",
        "--port",
        "2022",
        "--alias",
        "address-of-vm",
    ],
    &["10.0.0.5", "--alias", "address"],
    &["web01", "--profile", "secret", "--alias", "other-profile"],
    &[
        "/subscriptions/50b5c000-0000-4000-8000-000000000002/resourceGroups/rg-fab/providers/Microsoft.HybridCompute/machines/fab01",
        "--profile",
        "guest",
        "--alias",
        "other-tenant",
    ],
    &[
        "/subscriptions/50b5c000-0000-4000-8000-000000000001/resourceGroups/rg-v/providers/Microsoft.ConnectedVMwarevSphere/virtualMachines/v01",
        "--alias",
        "vmware",
    ],
];
