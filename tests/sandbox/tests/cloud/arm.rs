//! Subscriptions, machines, set-up and lists.

use std::time::{Duration, Instant};

use sandbox::{Fault, Network, Options, PublicAddress, Sandbox};
use serde_json::{Value, json};

use crate::client::{arm, arm_token, credentials, send, start};

const ADA: &str = "ada@contoso.example";

fn resource_id(sandbox: &Sandbox, name: &str) -> String {
    let machines = sandbox.description().machines;
    let machine = machines.into_iter().find(|machine| machine.name == name);
    machine.unwrap().resource_id
}

fn endpoint(sandbox: &Sandbox, name: &str, rest: &str) -> String {
    let id = resource_id(sandbox, name);
    let separator = if rest.contains('?') { '&' } else { '?' };
    format!(
        "{id}/providers/Microsoft.HybridConnectivity/endpoints/default{rest}{separator}\
         api-version=2023-03-15"
    )
}

#[test]
fn machine_without_endpoint_is_set_up_by_what_404_and_412_ask_for() {
    let sandbox = Sandbox::start(Options {
        agent_delay: Duration::from_millis(200),
        ..Options::default()
    })
    .unwrap();
    let token = arm_token(&sandbox, "organizations", ADA);
    let list = endpoint(&sandbox, "new01", "/listCredentials?expiresin=600");
    let body = json!({"serviceName": "SSH"});
    let ask = || arm(&sandbox, &token, "POST", &list, &body);
    assert_eq!(ask().status, 404);
    let put = |rest: &str, body: &Value| {
        arm(
            &sandbox,
            &token,
            "PUT",
            &endpoint(&sandbox, "new01", rest),
            body,
        )
    };
    let service = json!({"properties": {"serviceName": "SSH", "port": 22}});
    assert_eq!(put("/serviceConfigurations/SSH", &service).status, 404);
    assert_eq!(
        put("", &json!({"properties": {"type": "default"}})).status,
        200
    );
    assert_eq!(ask().status, 412);
    // Whoever names no service needs no service configuration, and gets no token of one.
    let bare = arm(&sandbox, &token, "POST", &list, &Value::Null);
    assert_eq!(bare.status, 200);
    assert!(bare.json()["relay"]["accessKey"].is_string());
    assert!(
        bare.json()["relay"]
            .get("serviceConfigurationToken")
            .is_none()
    );
    assert_eq!(put("/serviceConfigurations/SSH", &service).status, 201);
    assert_eq!(put("/serviceConfigurations/SSH", &service).status, 200);
    let answer = ask();
    assert_eq!(answer.status, 200);
    let relay = answer.json()["relay"].clone();
    assert_eq!(relay["namespaceName"], "127");
    let shown = arm(
        &sandbox,
        &token,
        "GET",
        &endpoint(&sandbox, "new01", "/serviceConfigurations/SSH"),
        &Value::Null,
    );
    assert_eq!(shown.json()["properties"]["port"], 22);
    // The Relay hears of the endpoint when the agent does.
    let deadline = Instant::now() + Duration::from_secs(120);
    while crate::relay::connect(&sandbox, &relay).is_err() {
        assert!(Instant::now() < deadline, "the agent never listened");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_deleted_endpoint_is_gone_with_its_service_configuration() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let ask = |method: &str, rest: &str, body: &Value| {
        arm(
            &sandbox,
            &token,
            method,
            &endpoint(&sandbox, "web01", rest),
            body,
        )
        .status
    };
    assert_eq!(ask("DELETE", "", &Value::Null), 200);
    assert_eq!(ask("DELETE", "", &Value::Null), 204);
    assert_eq!(ask("GET", "", &Value::Null), 404);
    let body = json!({"properties": {"type": "default"}});
    assert_eq!(ask("PUT", "", &body), 200);
    assert_eq!(ask("GET", "/serviceConfigurations/SSH", &Value::Null), 404);
}

#[test]
fn credentials_outside_ten_minutes_to_three_hours_are_refused() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let status = |seconds: &str| {
        let path = endpoint(
            &sandbox,
            "web01",
            &format!("/listCredentials?expiresin={seconds}"),
        );
        arm(
            &sandbox,
            &token,
            "POST",
            &path,
            &json!({"serviceName": "SSH"}),
        )
        .status
    };
    assert_eq!(status("600"), 200);
    assert_eq!(status("10800"), 200);
    assert_eq!(status("599"), 400);
    assert_eq!(status("10801"), 400);
    assert_eq!(status("soon"), 400);
}

#[test]
fn token_of_the_wrong_tenant_is_sent_to_the_right_one() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let fabrikam = &sandbox.options().tenants[1];
    let path = format!(
        "/subscriptions/{}?api-version=2022-12-01",
        fabrikam.subscription_id
    );
    let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    let right = format!(
        "authorization_uri=\"{}/{}\"",
        sandbox.authority(),
        fabrikam.id
    );
    assert!(challenge.contains(&right), "{challenge}");
    assert_eq!(
        answer.json()["error"]["code"],
        "InvalidAuthenticationTokenTenant"
    );
    // There she is a guest, and may do what she may at home.
    let token = arm_token(&sandbox, &fabrikam.id, ADA);
    let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
    assert_eq!(answer.json()["tenantId"], fabrikam.id);
    credentials(&sandbox, &token, &resource_id(&sandbox, "fab01"));
}

#[test]
fn whoever_asks_for_a_subscription_without_a_token_learns_its_tenant() {
    let sandbox = start();
    for tenant in &sandbox.options().tenants {
        let url = format!(
            "{}/subscriptions/{}?api-version=2022-12-01",
            sandbox.authority(),
            tenant.subscription_id
        );
        let answer = send(&sandbox, "GET", &url, &[], "").unwrap();
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate").unwrap();
        let right = format!(
            "Bearer authorization_uri=\"{}/{}\"",
            sandbox.authority(),
            tenant.id
        );
        assert!(challenge.starts_with(&right), "{challenge}");
    }
}

#[test]
fn changed_and_missing_tokens_are_refused() {
    let sandbox = start();
    let mut token = arm_token(&sandbox, "organizations", ADA);
    token.replace_range(token.len() - 10..token.len() - 6, "AAAA");
    let path = "/subscriptions?api-version=2022-12-01";
    assert_eq!(arm(&sandbox, &token, "GET", path, &Value::Null).status, 401);
    let bare = send(
        &sandbox,
        "GET",
        &format!("{}{path}", sandbox.authority()),
        &[],
        "",
    );
    assert_eq!(bare.unwrap().status, 401);
}

#[test]
fn tenants_and_subscriptions_are_those_of_the_caller() {
    let sandbox = start();
    let count = |upn: &str, path: &str| {
        let token = arm_token(&sandbox, "organizations", upn);
        let path = format!("{path}?api-version=2022-12-01");
        let answer = arm(&sandbox, &token, "GET", &path, &Value::Null).json();
        answer["value"].as_array().unwrap().len()
    };
    assert_eq!(count("Grace.Hopper@contoso.example", "/tenants"), 1);
    assert_eq!(count(ADA, "/tenants"), 2);
    assert_eq!(count("linus@fabrikam.example", "/tenants"), 2);
    assert_eq!(count("linus@fabrikam.example", "/subscriptions"), 1);
}

#[test]
fn what_does_not_exist_is_named() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let subscription = sandbox.description().subscription;
    let code = |path: &str| {
        let path = format!("{path}?api-version=2022-11-10");
        let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
        assert_eq!(answer.status, 404, "{answer:?}");
        answer.json()["error"]["code"].as_str().unwrap().to_owned()
    };
    let machines = "providers/Microsoft.HybridCompute/machines";
    let root = format!("/subscriptions/{subscription}/resourceGroups");
    assert_eq!(
        code(&format!("{root}/rg-web/{machines}/none")),
        "ResourceNotFound"
    );
    assert_eq!(
        code(&format!("{root}/rg-none/{machines}/web01")),
        "ResourceGroupNotFound"
    );
    assert_eq!(code("/subscriptions/none"), "SubscriptionNotFound");
}

#[test]
fn vm_leads_to_its_addresses() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let get = |path: &str, version: &str| {
        let path = format!("{path}?api-version={version}");
        let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let vm = get(&resource_id(&sandbox, "vm01"), "2024-11-01");
    assert_eq!(
        vm["properties"]["storageProfile"]["osDisk"]["osType"],
        "Linux"
    );
    let port = sandbox.machine_address("vm01").unwrap().port();
    assert_eq!(vm["tags"]["ssh-port"], port.to_string());
    let nic = &vm["properties"]["networkProfile"]["networkInterfaces"][0]["id"];
    let nic = get(nic.as_str().unwrap(), "2022-01-01");
    let address = &nic["properties"]["ipConfigurations"][0]["properties"];
    assert_eq!(address["privateIPAddress"], "127.0.0.1");
    let public = address["publicIPAddress"]["id"].as_str().unwrap();
    assert_eq!(
        get(public, "2022-05-01")["properties"]["ipAddress"],
        "127.0.0.1"
    );
}

#[test]
fn a_vm_has_the_addresses_and_the_power_state_that_it_is_given() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let get = |path: &str| {
        let path = format!("{path}api-version=2024-11-01");
        arm(&sandbox, &token, "GET", &path, &Value::Null)
    };
    let vm = resource_id(&sandbox, "vm01");
    let network = vm.replace(
        "Microsoft.Compute/virtualMachines/vm01",
        "Microsoft.Network",
    );
    let (nic, address) = (
        format!("{network}/networkInterfaces/vm01-nic?"),
        format!("{network}/publicIPAddresses/vm01-ip?"),
    );
    let power = || {
        let vm = get(&format!("{vm}?$expand=instanceView&")).json();
        vm["properties"]["instanceView"]["statuses"][1]["code"].clone()
    };
    assert_eq!(power(), "PowerState/running");
    let off = |public, private| Network {
        public,
        private,
        power_state: "deallocated".to_owned(),
    };
    let private = Some("10.0.0.4".parse().unwrap());
    let set = |network| sandbox.set_network("vm01", network).unwrap();
    set(off(PublicAddress::Unassigned, private));
    assert_eq!(power(), "PowerState/deallocated");
    assert_eq!(get(&address).json()["properties"].get("ipAddress"), None);
    set(off(PublicAddress::Absent, private));
    assert_eq!(get(&address).status, 404);
    let nic_properties = &get(&nic).json()["properties"];
    let configuration = &nic_properties["ipConfigurations"][0]["properties"];
    assert_eq!(configuration["privateIPAddress"], "10.0.0.4");
    assert_eq!(configuration.get("publicIPAddress"), None);
    set(off(PublicAddress::Absent, None));
    assert_eq!(get(&nic).status, 404);
    let interfaces = &get(&format!("{vm}?")).json()["properties"]["networkProfile"];
    assert_eq!(interfaces["networkInterfaces"], serde_json::json!([]));
}

#[test]
fn resources_are_found_by_name_in_a_group() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let subscription = sandbox.description().subscription;
    let ask = |filter: &str| {
        let path = format!(
            "/subscriptions/{subscription}/resourceGroups/RG-WEB/resources?$filter={filter}\
             &api-version=2025-04-01"
        );
        arm(&sandbox, &token, "GET", &path, &Value::Null)
    };
    let found = ask("name%20eq%20%27web01%27").json();
    assert_eq!(
        found["value"][0]["type"],
        "Microsoft.HybridCompute/machines"
    );
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(ask("contains(name)").status, 400);
    let machines = format!(
        "/subscriptions/{subscription}/providers/Microsoft.HybridCompute/machines\
         ?api-version=2022-11-10"
    );
    let all = arm(&sandbox, &token, "GET", &machines, &Value::Null).json();
    assert_eq!(all["value"].as_array().unwrap().len(), 6);
}

#[test]
fn graph_pages_through_machines_and_refuses_what_it_does_not_understand() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let ask = |body: &Value| {
        let path = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01";
        arm(&sandbox, &token, "POST", path, body)
    };
    let query = "resources | where type in~ ('microsoft.hybridcompute/machines', \
                 'Microsoft.Compute/virtualMachines') | project id, name, resourceGroup, tags \
                 | order by name asc";
    let mut names = Vec::new();
    let mut options = json!({"$top": 3});
    loop {
        let answer = ask(&json!({"query": query, "options": options})).json();
        assert_eq!(answer["totalRecords"], 7);
        for row in answer["data"].as_array().unwrap() {
            names.push(row["name"].as_str().unwrap().to_owned());
        }
        let Some(token) = answer["$skipToken"].as_str() else {
            break;
        };
        options["$skipToken"] = json!(token);
    }
    assert_eq!(
        names,
        [
            "db01", "db01", "lonely01", "new01", "vm01", "web01", "web02"
        ]
    );
    let tagged = ask(&json!({"query": "resources | where tags['role'] =~ 'WEB'"})).json();
    assert_eq!(tagged["count"], 2);
    let refused = ask(&json!({"query": "resources | summarize count() by type"}));
    assert_eq!(refused.status, 400);
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "BadRequest");
    assert!(error["message"].as_str().unwrap().contains("summarize"));
}

#[test]
fn reader_may_not_list_credentials() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", "radia@contoso.example");
    let path = endpoint(&sandbox, "web01", "/listCredentials?expiresin=600");
    let answer = arm(
        &sandbox,
        &token,
        "POST",
        &path,
        &json!({"serviceName": "SSH"}),
    );
    assert_eq!(answer.status, 403);
    let message = answer.json()["error"]["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .contains("endpoints/listCredentials/action")
    );
}

#[test]
fn provider_registration_takes_its_time() {
    let mut options = Options {
        registration_time: Duration::from_millis(300),
        ..Options::default()
    };
    options.tenants[0].provider_registered = false;
    let sandbox = Sandbox::start(options).unwrap();
    let token = arm_token(&sandbox, "organizations", ADA);
    let provider = format!(
        "/subscriptions/{}/providers/Microsoft.HybridConnectivity",
        sandbox.description().subscription
    );
    let state = |method: &str, rest: &str| {
        let path = format!("{provider}{rest}?api-version=2021-04-01");
        let answer = arm(&sandbox, &token, method, &path, &Value::Null).json();
        answer["registrationState"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("GET", ""), "NotRegistered");
    let refused = arm(
        &sandbox,
        &token,
        "PUT",
        &endpoint(&sandbox, "new01", ""),
        &json!({"properties": {"type": "default"}}),
    );
    assert_eq!(
        refused.json()["error"]["code"],
        "MissingSubscriptionRegistration"
    );
    assert_eq!(state("POST", "/register"), "Registering");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(state("GET", ""), "Registered");
}

#[test]
fn run_command_tells_the_host_keys() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let script = "cat /etc/ssh/ssh_host_*_key.pub";
    let vm = format!(
        "{}/runCommand?api-version=2024-11-01",
        resource_id(&sandbox, "vm01")
    );
    let body = json!({"commandId": "RunShellScript", "script": [script]});
    let answer = arm(&sandbox, &token, "POST", &vm, &body).json();
    let key = sandbox.machine_host_key("vm01").unwrap();
    assert!(
        answer["value"][0]["message"]
            .as_str()
            .unwrap()
            .contains(&key)
    );
    let arc = format!(
        "{}/runCommands/read-keys?api-version=2023-10-03-preview",
        resource_id(&sandbox, "web01")
    );
    let body = json!({"location": "westeurope", "properties": {"source": {"script": script}}});
    assert_eq!(arm(&sandbox, &token, "PUT", &arc, &body).status, 201);
    let answer = arm(&sandbox, &token, "GET", &arc, &Value::Null).json();
    let key = sandbox.machine_host_key("web01").unwrap();
    let output = answer["properties"]["instanceView"]["output"]
        .as_str()
        .unwrap();
    assert_eq!(output.trim(), key.trim());
}

#[test]
fn fault_hits_the_path_it_names() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    sandbox.fault(Fault::Arm {
        path: "/LISTcredentials".to_owned(),
        method: None,
        status: 429,
        code: "TooManyRequests".to_owned(),
        message: "slow down".to_owned(),
        retry_after: Some(7),
    });
    let path = "/subscriptions?api-version=2022-12-01";
    assert_eq!(arm(&sandbox, &token, "GET", path, &Value::Null).status, 200);
    let path = endpoint(&sandbox, "web01", "/listCredentials?expiresin=600");
    let answer = arm(
        &sandbox,
        &token,
        "POST",
        &path,
        &json!({"serviceName": "SSH"}),
    );
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("7"));
    credentials(&sandbox, &token, &resource_id(&sandbox, "web01"));
}
