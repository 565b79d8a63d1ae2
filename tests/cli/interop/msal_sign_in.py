"""Signs in to the sandbox with MSAL for Python, acquires an SSH certificate, and prints it as one line: WAY FACTS.

The facts are JSON: authority, tenant, control, ca_file, principal, secret and cloud_shell. What MSAL leaves to its caller is checked here: the
certificate by a strict reader, and its authority and the ID token against the published keys.
"""

import base64
import hashlib
import json
import os
import sys
import time
from urllib.parse import parse_qsl, urlsplit

import jwt
import msal
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
SSH = ["ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default"]
ARM = ["https://management.core.windows.net//.default"]
USER = "grace.hopper@contoso.example"

way, facts = sys.argv[1], json.loads(sys.argv[2])
http = requests.Session()
http.verify = facts["ca_file"]
options = {
    "authority": f"{facts['authority']}/{facts['tenant']}",
    "verify": facts["ca_file"],
    # Microsoft's own list of authorities knows nothing of the sandbox.
    "instance_discovery": False,
}


def certificate_request(key):
    """Returns the fields that the Azure CLI sends: the JWK of the raw SSH numbers, padded."""
    numbers = key.public_key().public_numbers()

    def mpint(number):
        raw = number.to_bytes(number.bit_length() // 8 + 1, "big")
        return base64.urlsafe_b64encode(raw).decode()

    modulus, exponent = mpint(numbers.n), mpint(numbers.e)
    name = hashlib.sha256(modulus.encode() + exponent.encode()).hexdigest()
    jwk = {"kty": "RSA", "n": modulus, "e": exponent, "kid": name}
    return {"token_type": "ssh-cert", "req_cnf": json.dumps(jwk), "key_id": name}


def accepted(reply):
    assert "error" not in reply, reply
    return reply


def client_certificate():
    made = http.post(
        facts["control"] + "/client-certificate", json={"client_id": facts["principal"]}
    ).json()
    pem = open(made["pem"]).read()
    key = pem[: pem.index("-----BEGIN CERTIFICATE-----")]
    return made, {"private_key": key, "thumbprint": made["thumbprint"]}


def application(credential):
    return msal.ConfidentialClientApplication(
        facts["principal"], client_credential=credential, **options
    )


def by_secret(request):
    refused = application("wrong").acquire_token_for_client(SSH, data=request)
    assert refused["error"] == "invalid_client", refused
    assert refused["error_codes"] == [7000215], refused
    return application(facts["secret"]).acquire_token_for_client(SSH, data=request)


def by_certificate(request):
    made, by_thumbprint = client_certificate()
    accepted(application(by_thumbprint).acquire_token_for_client(ARM))
    in_a_file = {
        "private_key_pfx_path": made["protected_pkcs12"],
        "passphrase": made["password"],
        "public_certificate": True,
    }
    return application(in_a_file).acquire_token_for_client(SSH, data=request)


def after_sign_in(app, reply, request):
    """Checks a sign-in, and acquires the certificate by its refresh token, as the Azure CLI does."""
    accepted(reply)
    token = verified(reply["id_token"])
    assert token["preferred_username"].lower() == USER, token
    assert reply["client_info"] and reply["foci"] == "1", reply
    (account,) = app.get_accounts()
    assert account["username"].lower() == USER, account
    assert account["home_account_id"].endswith("." + facts["tenant"]), account
    arm = app.acquire_token_silent_with_error(ARM, account)
    assert accepted(arm)["token_type"] == "Bearer", arm
    return app.acquire_token_silent_with_error(SSH, account, data=request)


def by_device_code(request):
    app = msal.PublicClientApplication(AZURE_CLI, **options)
    flow = app.initiate_device_flow(ARM)
    assert flow["user_code"] in flow["message"], flow
    answer = {"user_code": flow["user_code"], "upn": USER}
    http.post(facts["control"] + "/approve", json=answer).raise_for_status()
    return after_sign_in(app, app.acquire_token_by_device_flow(flow), request)


def by_auth_code(request):
    app = msal.PublicClientApplication(AZURE_CLI, **options)
    flow = app.initiate_auth_code_flow(ARM, redirect_uri="http://localhost:8400/")
    page = http.post(flow["auth_uri"], data={"upn": USER}, allow_redirects=False)
    answer = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
    return after_sign_in(app, app.acquire_token_by_auth_code_flow(flow, answer), request)


class CloudShell(requests.Session):
    """Finds Cloud Shell's endpoint where it is here; MSAL knows one port."""

    def request(self, method, url, **rest):
        url = url.replace("http://localhost:50342/oauth2/token", facts["cloud_shell"])
        return super().request(method, url, verify=facts["ca_file"], **rest)


def by_cloud_shell(request):
    os.environ["AZUREPS_HOST_ENVIRONMENT"] = "cloud-shell/1.0"
    del options["verify"]
    app = msal.PublicClientApplication(AZURE_CLI, http_client=CloudShell(), **options)
    older = ["https://pas.windows.net/CheckMyAccess/Linux/.default"]
    for scopes in [older, SSH]:
        reply = app.acquire_token_interactive(scopes, prompt="none", data=request)
        accepted(reply)
    unknown = ["https://vault.example/.default"]
    refused = app.acquire_token_interactive(unknown, prompt="none")
    assert refused["error"], refused
    return reply


def published(address):
    keys = http.get(facts["authority"] + address).json()["keys"]
    return [jwt.PyJWK(key, algorithm="RS256").key for key in keys]


def verified(id_token):
    """Returns the claims of an ID token that one of the published keys signed."""
    name = jwt.get_unverified_header(id_token)["kid"]
    keys = http.get(facts["authority"] + "/common/discovery/v2.0/keys").json()["keys"]
    (key,) = [jwt.PyJWK(key, algorithm="RS256") for key in keys if key["kid"] == name]
    return jwt.decode(id_token, key.key, algorithms=["RS256"], audience=AZURE_CLI)


def check(reply, key):
    assert reply["token_type"] == "ssh-cert", reply
    line = "ssh-rsa-cert-v01@openssh.com " + reply["access_token"]
    certificate = serialization.load_ssh_public_identity(line.encode())
    certificate.verify_cert_signature()
    assert certificate.public_key() == key.public_key()
    assert certificate.serial == 0
    assert certificate.valid_before - certificate.valid_after == 65 * 60
    assert certificate.valid_after <= time.time() < certificate.valid_before
    authority = certificate.signature_key().public_numbers()
    for address in ["/common/discovery/v2.0/keys", "/common/discovery/keys"]:
        assert authority in [key.public_numbers() for key in published(address)]
    (principal,) = certificate.valid_principals
    return principal.decode()


ways = {
    "auth-code": by_auth_code,
    "certificate": by_certificate,
    "cloud-shell": by_cloud_shell,
    "device-code": by_device_code,
    "secret": by_secret,
}
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
print(check(accepted(ways[way](certificate_request(key))), key))
