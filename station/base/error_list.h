// SPDX-License-Identifier: Apache-2.0
// The table of every error that birthcert reports. Included by error.h only.
#ifndef BIRTHCERT_BASE_ERROR_LIST_H
#define BIRTHCERT_BASE_ERROR_LIST_H

// clang-format off
#define ERROR_LIST(X) \
    /* command line, configuration, input files */ \
    X(E_USAGE, "E-USAGE", USAGE, "the command line is not understood", "see birthcert --help") \
    X(E_CONFIG, "E-CONFIG", USAGE, "the configuration has an error", "correct the named file and line") \
    X(E_CONFIG_MISSING, "E-CONFIG-MISSING", USAGE, "there is no configuration", "birthcert init makes one; or name it with --config") \
    X(E_SECRET_EXPOSED, "E-SECRET-EXPOSED", USAGE, "a private file can be read by others", "chmod 600 FILE, and replace the secret if others had access") \
    X(E_SECRET_MISSING, "E-SECRET-MISSING", USAGE, "a private file cannot be read", "check the file name and its owner") \
    X(E_MANIFEST, "E-MANIFEST", USAGE, "the tray manifest has an error", "correct the named line; nothing was started") \
    X(E_CERT_FILE, "E-CERT-FILE", USAGE, "no certificates can be read from the file", "have the CA's administrator send the certificates alone: PEM, DER or PKCS #7 (.p7b)") \
    X(E_CRL_FILE, "E-CRL-FILE", USAGE, "the file holds no certificate revocation list that can be believed", "get the complete list of the CA that issued: PEM or DER, one in a file") \
    X(E_NOTHING_TO_DO, "E-NOTHING-TO-DO", USAGE, "there is nothing to do", "") \
    X(E_EXISTS, "E-EXISTS", USAGE, "a file that would be made is already there", "choose another name, or move away what is there") \
    X(E_FORWARD_RUNS, "E-FORWARD-RUNS", USAGE, "another forwarder listens on the socket", "stop that one first: two forwarders would not know of each other's requests") \
    /* the store */ \
    X(E_STORE_OPEN, "E-STORE-OPEN", STATION, "the database cannot be opened", "check the path, its owner and the disk") \
    X(E_STORE_LOCKED, "E-STORE-LOCKED", STATION, "another process writes to the database", "stop the other station program, then start again") \
    X(E_STORE_READONLY, "E-STORE-READONLY", STATION, "the database cannot be written", "check the owner and the mount of its folder") \
    X(E_STORE_FOREIGN, "E-STORE-FOREIGN", INTEGRITY, "the file is not a birthcert database", "name the right file; birthcert init makes a new one") \
    X(E_STORE_NEWER, "E-STORE-NEWER", STATION, "the database was written by a newer birthcert", "use that version or a later one") \
    X(E_STORE_CORRUPT, "E-STORE-CORRUPT", INTEGRITY, "the database is damaged", "stop, keep the file, restore the last backup") \
    X(E_STORE_IO, "E-STORE-IO", STATION, "the database could not write", "check the disk's space and health; no more units are taken") \
    X(E_STORE_CONFLICT, "E-STORE-CONFLICT", INTEGRITY, "the record contradicts what is already recorded", "show the unit's history with birthcert show SERIAL") \
    X(E_STORE_UNKNOWN, "E-STORE-UNKNOWN", USAGE, "the database does not know that serial", "birthcert list shows what it knows") \
    /* ports */ \
    X(E_PORT_MISSING, "E-PORT-MISSING", RETRY, "the port does not exist", "check the cable and the slot's path in the configuration") \
    X(E_PORT_BUSY, "E-PORT-BUSY", STATION, "another program holds the port", "stop that program (ModemManager, a terminal)") \
    X(E_PORT_DRIVER, "E-PORT-DRIVER", STATION, "a driver of the kernel holds the port", "keep that driver away from that VID:PID (birthcert ports shows both)") \
    X(E_PORT_NOT_TTY, "E-PORT-NOT-TTY", USAGE, "the path is not a serial port", "correct the slot's path in the configuration") \
    X(E_PORT_NOT_CAMERA, "E-PORT-NOT-CAMERA", RETRY, "what is plugged in is no camera", "plug a camera in; name its VID:PID in usb_ids if it is one") \
    X(E_PORT_DENIED, "E-PORT-DENIED", STATION, "no permission on the port", "add the user to the port's group (dialout); for USB, install the udev rules (birthcert ports)") \
    X(E_PORT_IO, "E-PORT-IO", RETRY, "the port failed", "check the cable, plug the camera in again") \
    X(E_PORT_HANGUP, "E-PORT-HANGUP", RETRY, "the camera was unplugged", "plug it in again, in any slot: it goes on where it was") \
    /* the camera */ \
    X(E_CAM_TIMEOUT, "E-CAM-TIMEOUT", UNIT, "the camera does not answer", "check power and cable; the unit can be resumed") \
    X(E_CAM_MALFORMED, "E-CAM-MALFORMED", UNIT, "the camera's answer breaks the protocol", "check its firmware version") \
    X(E_CAM_REFUSED, "E-CAM-REFUSED", UNIT, "the camera refused a request", "see the camera's message") \
    X(E_CAM_LOCKED, "E-CAM-LOCKED", UNIT, "the camera is locked", "set it aside: a locked camera cannot be provisioned again") \
    X(E_CAM_STORAGE, "E-CAM-STORAGE", UNIT, "the camera cannot store", "set it aside for repair") \
    X(E_CAM_ENTROPY, "E-CAM-ENTROPY", UNIT, "the camera has no entropy to make a key", "set it aside for repair") \
    X(E_CAM_KEY_TYPE, "E-CAM-KEY-TYPE", UNIT, "the camera cannot make a key of the profile's type", "correct the profile's key type, or update the camera's firmware") \
    X(E_CAM_CREDENTIAL, "E-CAM-CREDENTIAL", UNIT, "the camera has no such credential", "correct the profile's credential number") \
    X(E_CAM_SERIAL, "E-CAM-SERIAL", UNIT, "the camera reports an unusable serial", "set it aside: its serial was not written") \
    X(E_CAM_NAMES, "E-CAM-NAMES", UNIT, "what the camera reports cannot stand in the profile's names", "set it aside if its label says otherwise; else change the names in the profile") \
    X(E_CAM_LABEL, "E-CAM-LABEL", UNIT, "the label and the camera disagree", "compare the label with the camera; set both aside if they differ") \
    X(E_CAM_TWICE, "E-CAM-TWICE", UNIT, "the same serial is in two slots at once", "set both cameras aside: one of the serials is wrong") \
    X(E_CAM_SWAPPED, "E-CAM-SWAPPED", UNIT, "another camera is in the slot than before", "put the first camera in any slot: it goes on where it was") \
    X(E_CAM_PROOF, "E-CAM-PROOF", UNIT, "the camera could not prove that it holds the key", "set it aside for repair") \
    X(E_CAM_READBACK, "E-CAM-READBACK", UNIT, "what was read back is not what was installed", "set it aside for repair") \
    X(E_CAM_LIFECYCLE, "E-CAM-LIFECYCLE", UNIT, "the camera did not lock", "set it aside for repair") \
    /* the unit against the record */ \
    X(E_UNIT_FOREIGN_KEY, "E-UNIT-FOREIGN-KEY", UNIT, "the camera holds a key that this database does not know", "if no other station works on it, set foreign_key = replace in the profile") \
    X(E_UNIT_FOREIGN, "E-UNIT-FOREIGN", UNIT, "the camera was provisioned elsewhere", "look it up in the other station's database") \
    X(E_UNIT_KEY_CHANGED, "E-UNIT-KEY-CHANGED", INTEGRITY, "the camera's key is not the one on record", "set it aside: its board was changed or wiped, or another camera has this serial (birthcert show SERIAL)") \
    X(E_UNIT_QUARANTINED, "E-UNIT-QUARANTINED", INTEGRITY, "the CA issued a certificate that must not be installed", "tell the PKI officer; once the configuration is corrected, birthcert reconcile has it judged anew") \
    X(E_UNIT_HELD, "E-UNIT-HELD", INTEGRITY, "it is not known whether the CA issued a certificate", "birthcert inbox import takes the certificate that the CA's administrator finds, birthcert release sends again where there is none") \
    X(E_UNIT_REVOKED, "E-UNIT-REVOKED", UNIT, "the camera's certificate is revoked or withdrawn", "set it aside: the PKI officer decides (birthcert rework or scrap)") \
    X(E_UNIT_SCRAPPED, "E-UNIT-SCRAPPED", UNIT, "the camera was scrapped: it is closed for good", "set it aside; birthcert show SERIAL says when and why") \
    X(E_UNIT_PARKED, "E-UNIT-PARKED", RETRY, "the unit waits for the CA", "leave the camera in; it goes on when the CA answers") \
    /* CSR and certificate */ \
    X(E_CSR_MALFORMED, "E-CSR-MALFORMED", UNIT, "the CSR cannot be parsed", "check the camera's firmware") \
    X(E_CSR_SIGNATURE, "E-CSR-SIGNATURE", UNIT, "the CSR's signature is wrong", "set the camera aside: its key and CSR disagree") \
    X(E_CSR_KEY, "E-CSR-KEY", UNIT, "the CSR's key is not the one that the camera reported", "set the camera aside") \
    X(E_CSR_KEY_TYPE, "E-CSR-KEY-TYPE", UNIT, "the CSR's key has another type or size than the profile", "check the camera's firmware") \
    X(E_CSR_SUBJECT, "E-CSR-SUBJECT", UNIT, "the CSR names another serial than the camera", "set the camera aside") \
    X(E_CSR_EXTENSION, "E-CSR-EXTENSION", UNIT, "the CSR asks for more than the profile has", "set the camera aside: nobody asked its firmware for that") \
    X(E_CSR_KEY_REUSED, "E-CSR-KEY-REUSED", INTEGRITY, "another camera has the same key", "stop: cameras share keys; check their entropy and cloning") \
    X(E_CERT_MALFORMED, "E-CERT-MALFORMED", INTEGRITY, "the certificate cannot be parsed", "tell the PKI officer") \
    X(E_CERT_KEY, "E-CERT-KEY", INTEGRITY, "the certificate is for another key", "tell the PKI officer") \
    X(E_CERT_NAMES, "E-CERT-NAMES", INTEGRITY, "the certificate has other names than asked for", "tell the PKI officer: the CA may rewrite subjects") \
    X(E_CERT_USAGE, "E-CERT-USAGE", INTEGRITY, "the certificate has other usages than the profile", "correct the profile or the CA's policy") \
    X(E_CERT_CA_FLAG, "E-CERT-CA-FLAG", INTEGRITY, "the certificate is a CA certificate", "tell the PKI officer") \
    X(E_CERT_VALIDITY, "E-CERT-VALIDITY", INTEGRITY, "the certificate's validity is not the profile's", "check the station's clock and the CA's policy") \
    X(E_CERT_CHAIN, "E-CERT-CHAIN", INTEGRITY, "the certificate does not lead to the pinned root", "check root_file in the configuration with the CA's administrator") \
    X(E_CERT_DUPLICATE, "E-CERT-DUPLICATE", INTEGRITY, "the CA gave the same certificate twice", "tell the PKI officer") \
    X(E_CERT_UNCONFIRMED, "E-CERT-UNCONFIRMED", INTEGRITY, "the CA did not take the confirmation of its certificate", "birthcert inbox import takes the certificate where the CA's administrator finds it valid; birthcert revoke ends it where not") \
    X(E_CERT_WEAK, "E-CERT-WEAK", INTEGRITY, "the certificate or its chain uses cryptography that is too weak", "tell the PKI officer") \
    X(E_CERT_EXTENSION, "E-CERT-EXTENSION", INTEGRITY, "the certificate has a critical extension that is not understood", "tell the PKI officer: the CA's policy adds it") \
    X(E_CRL_SIGNER, "E-CRL-SIGNER", INTEGRITY, "the certificate revocation list is not the word of the CA that issued", "ask the CA's administrator for the list that the issuing CA itself signs") \
    /* the CA */ \
    X(E_CA_CONFIG, "E-CA-CONFIG", USAGE, "the CA's configuration cannot be used", "correct the [ca] section") \
    X(E_CA_UNREACHABLE, "E-CA-UNREACHABLE", RETRY, "the CA cannot be reached", "check the network; units wait and go on by themselves") \
    X(E_CA_TLS, "E-CA-TLS", STATION, "the CA's TLS identity is not the expected one", "check the server's root and the station's certificate") \
    X(E_CA_LOGIN, "E-CA-LOGIN", STATION, "the CA refused the station's credentials", "check the login of the [ca] section (certificate, password, token or API key), and its rights at the CA") \
    X(E_CA_BUSY, "E-CA-BUSY", RETRY, "the CA asks to wait", "nothing: the station waits as asked") \
    X(E_CA_QUOTA, "E-CA-QUOTA", STATION, "the CA's quota is used up", "ask the PKI officer for more; units wait") \
    X(E_CA_POLICY, "E-CA-POLICY", STATION, "the profile does not fit the CA's policy", "correct the profile, or have the CA's policy changed") \
    X(E_CA_REFUSED, "E-CA-REFUSED", UNIT, "the CA refused the request", "see the CA's message") \
    X(E_CA_NONSENSE, "E-CA-NONSENSE", RETRY, "the CA's answer cannot be understood", "check the command or the socket of the [ca] section, or its url, where a proxy may have answered") \
    X(E_CA_DOUBT, "E-CA-DOUBT", RETRY, "the CA's answer was lost: it may have issued", "nothing: the station asks the CA what it issued") \
    X(E_CA_CHANGED, "E-CA-CHANGED", INTEGRITY, "the CA that got the request is not the one that its section leads to now", "put the section back as it was and run birthcert reconcile (another CA gets a section of its own; where the same one has moved, formerly says so); or birthcert release, where it is held and the CA that got it has issued nothing") \
    X(E_CA_UNSUPPORTED, "E-CA-UNSUPPORTED", USAGE, "this CA cannot do that", "") \
    X(E_BUNDLE, "E-BUNDLE", INTEGRITY, "what was brought from the CA cannot be trusted", "get it again, in a safe way") \
    X(E_CA_EXPIRED, "E-CA-EXPIRED", STATION, "the station's own certificate has ended", "ask the CA's administrator for a new one") \
    /* the station's own key in a token */ \
    X(E_KEY_TOKEN, "E-KEY-TOKEN", STATION, "the token that holds a key cannot be used", "plug it in; p11tool --list-tokens shows what is there") \
    X(E_KEY_OBJECT, "E-KEY-OBJECT", STATION, "the token does not hold the key that is wanted", "correct the pkcs11: URI; p11tool --login --list-all URI shows what is there") \
    X(E_KEY_PIN, "E-KEY-PIN", STATION, "the token does not take the PIN", "correct the PIN in the file that pin-source names, before anything tries again: a token locks after a few wrong ones") \
    /* the program itself */ \
    X(E_INTERRUPTED, "E-INTERRUPTED", STATION, "a signal ended it before it was done", "") \
    X(E_SYSTEM, "E-SYSTEM", STATION, "the operating system refused", "see the message") \
    X(E_MEMORY, "E-MEMORY", STATION, "out of memory", "add memory or use fewer slots") \
    X(E_INTERNAL, "E-INTERNAL", STATION, "birthcert contradicts itself", "keep the log and report it") \
    X(E_CLOCK, "E-CLOCK", STATION, "the station's clock is wrong", "set it, and keep it right with NTP (timedatectl)")
// clang-format on

#endif
