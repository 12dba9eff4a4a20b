/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * redact: takes secrets out of text that leaves the host.
 *
 * A value is taken for a secret when its name says so (password, secret, token, key, psk,
 * credential, in any case and as a part of a longer name), as in "luks.key=abc", "Token: abc" and
 * JSON's "password": "abc"; and what stands before the @ in "https://user:abc@host".
 */
#ifndef CLI_REDACT_H
#define CLI_REDACT_H

#define REDACTED "(left out)"

/* The text without them, for the caller to free; NULL without memory. */
char *redact(const char *text);

#endif
