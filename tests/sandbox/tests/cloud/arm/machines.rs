//! Machines, their addresses, and lists of them.

use sandbox::{Network, PublicAddress};
use serde_json::{Value, json};

use super::{ADA, resource_id};
use crate::client::{arm, arm_token, start};

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
