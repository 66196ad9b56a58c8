// SPDX-License-Identifier: MIT
/* address_value.h – between jg_address and what the engine room calls an address.
 *
 * Holds      nothing.
 * Invariant  an address that is IPv4 or IPv6 comes back as it went in.
 * Called by  udp.c, connect.c.
 * Why        the engine's has room for Unix paths, which is too much to be handed about by value.
 */
#ifndef NET_ADDRESS_VALUE_H
#define NET_ADDRESS_VALUE_H

#include "rt/op.h"

#include <juggle/address.h>

/* The length is that of the family; 0 for no address. */
struct op_address address_of_value(const jg_address *address);

/* Zero bytes for another family. */
jg_address address_to_value(const struct op_address *address);

#endif
