use std::cell::RefCell;

use super::*;
use crate::failure::Failure;
use crate::ids::SubscriptionId;
use crate::keyring::Backend;
use crate::session::{CloudName, Flow, KeyOptions, Method};

const ID: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-web/providers/\
    Microsoft.HybridCompute/machines/web01";
const HOME: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER: &str = "b39138ca-3cee-4b4a-a4d6-cd83d9dd62f0";

fn profile(name: &str, tenant: &str) -> Profile {
    Profile {
        name: name.parse().unwrap(),
        cloud: CloudName::BuiltIn("AzureCloud".to_owned()),
        tenant: tenant.parse().unwrap(),
        account: format!("{name}@contoso.com").parse().unwrap(),
        method: Method::User,
        flow: Flow::default(),
        environment: None,
        keyring: Backend::Memory,
        keys: KeyOptions::default(),
        guest_in: Vec::new(),
    }
}

/// Accounts, of which those named in `sees` see the machine `web01`.
struct Signed {
    profiles: Vec<Profile>,
    is_first_signed_in: bool,
    sees: &'static [&'static str],
    tenant: &'static str,
    looked: RefCell<Vec<String>>,
}

impl Signed {
    fn new(profiles: &[(&str, &str)], sees: &'static [&'static str], tenant: &'static str) -> Self {
        Self {
            profiles: profiles
                .iter()
                .map(|(name, tenant)| profile(name, tenant))
                .collect(),
            is_first_signed_in: true,
            sees,
            tenant,
            looked: RefCell::default(),
        }
    }

    async fn find(&self, target: &str) -> Result<Found, InventoryError> {
        find(self, &target.parse().unwrap(), None).await
    }
}

impl Accounts for Signed {
    async fn first(&self) -> Result<Profile, Failure> {
        if self.is_first_signed_in {
            Ok(self.profiles[0].clone())
        } else {
            Err(Failure::new("not signed in"))
        }
    }

    fn others(&self) -> Vec<ProfileName> {
        let others = self.profiles.iter().skip(1);
        others.map(|profile| profile.name.clone()).collect()
    }

    fn load(&self, name: &ProfileName) -> Option<Profile> {
        self.profiles
            .iter()
            .find(|profile| profile.name == *name)
            .cloned()
    }

    async fn machines(
        &self,
        profile: &Profile,
        name: &MachineName,
        _group: Option<&ResourceGroup>,
    ) -> Result<Vec<ResourceId>, Failure> {
        self.looked.borrow_mut().push(profile.name.to_string());
        let sees = self.sees.contains(&profile.name.as_str());
        let count = match name.as_str() {
            "web01" if sees => 1,
            "twins" if sees => 2,
            _ => 0,
        };
        Ok(vec![ID.parse().unwrap(); count])
    }

    async fn tenant_of(
        &self,
        _profile: &Profile,
        _subscription: &SubscriptionId,
    ) -> Result<Option<TenantId>, Failure> {
        Ok(Some(self.tenant.parse().unwrap()))
    }
}

#[tokio::test]
async fn no_other_account_is_asked_once_one_sees_the_machine() {
    let signed = Signed::new(&[("a", HOME), ("b", HOME), ("c", HOME)], &["b", "c"], HOME);
    let found = signed.find("web01").await.unwrap();
    assert_eq!(found.profile.as_str(), "b");
    assert_eq!(found.machine, Some(ID.parse().unwrap()));
    assert_eq!(*signed.looked.borrow(), ["a", "b"]);
}

#[tokio::test]
async fn the_account_of_the_tenant_goes_before_the_one_that_sees_the_machine() {
    let signed = Signed::new(&[("a", HOME), ("b", OTHER)], &["a"], OTHER);
    let found = signed.find("web01").await.unwrap();
    assert_eq!(found.profile.as_str(), "b");
    assert_eq!(found.tenant, Some(OTHER.parse().unwrap()));
}

#[tokio::test]
async fn without_an_account_of_the_tenant_the_one_that_sees_the_machine_is_a_guest() {
    let signed = Signed::new(&[("a", HOME), ("b", HOME)], &["a"], OTHER);
    assert_eq!(signed.find("web01").await.unwrap().profile.as_str(), "a");
}

#[tokio::test]
async fn of_several_accounts_of_the_tenant_none_is_chosen() {
    let signed = Signed::new(&[("a", HOME), ("b", OTHER), ("c", OTHER)], &["a"], OTHER);
    let refusal = signed.find("web01").await.unwrap_err();
    let InventoryError::SeveralAccounts { accounts, .. } = refusal else {
        panic!("{refusal:?}");
    };
    let names: Vec<&str> = accounts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "c"]);
}

#[tokio::test]
async fn the_refusal_is_what_the_first_account_was_told() {
    let signed = Signed::new(&[("a", HOME), ("b", HOME)], &[], HOME);
    let refusal = signed.find("web01").await.unwrap_err();
    let InventoryError::NotFound { account, .. } = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(account.as_str(), "a@contoso.com");
    assert_eq!(*signed.looked.borrow(), ["a", "b"]);
}

#[tokio::test]
async fn another_account_can_do_without_the_first() {
    let mut signed = Signed::new(&[("a", HOME), ("b", HOME)], &["b"], HOME);
    signed.is_first_signed_in = false;
    assert_eq!(signed.find("web01").await.unwrap().profile.as_str(), "b");
    signed.profiles.truncate(1);
    let refusal = signed.find("web01").await.unwrap_err();
    assert!(matches!(refusal, InventoryError::NoAccount(_)));
}

#[tokio::test]
async fn of_several_machines_none_is_chosen() {
    let signed = Signed::new(&[("a", HOME)], &["a"], HOME);
    let refusal = signed.find("twins").await.unwrap_err();
    let InventoryError::Ambiguous { machines, .. } = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(machines.len(), 2);
}

#[tokio::test]
async fn an_address_or_a_resource_id_needs_no_lookup() {
    let signed = Signed::new(&[("a", HOME)], &[], HOME);
    assert_eq!(signed.find("10.0.0.4").await.unwrap().machine, None);
    let found = signed.find(ID).await.unwrap();
    assert_eq!(found.machine, Some(ID.parse().unwrap()));
    assert!(signed.looked.borrow().is_empty());
}
