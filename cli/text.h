// SPDX-License-Identifier: MIT
/* text.h – texts we did not write, made safe to show.
 *
 * Holds      escaping of control bytes, shortening, display width.
 * Invariant  what comes out is one line of valid UTF-8 without control characters.
 * Called by  options.c (what a user typed), the reports (what a server sent), table.c.
 * Why        an answer from a server must never move the cursor or recolour a terminal.
 * Quirks     C1 controls (U+0080..U+009F) are control characters too: U+009B acts like ESC [.
 */
#ifndef JUGGLE_CLI_TEXT_H
#define JUGGLE_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Decodes one code point of the NUL-terminated `text`.
 * Returns its length in bytes (1..4), or 0 if the bytes are not valid UTF-8. */
size_t text_decode(const char *text, uint32_t *out_code_point);

/* Copies `text` to `out` (`cap` bytes, at least 8), with control and invalid bytes as \xNN and
 * "..." in place of what does not fit. Returns `out`. */
char *text_escape(const char *text, char *out, size_t cap);

/* Counts the columns `text` takes; every code point of what we print is one column wide. */
size_t text_width(const char *text);

/* Copies `text` to `out` (`cap` bytes) with our own non-ASCII signs replaced by ASCII ones.
 * Returns `out`; text that does not fit is cut. */
char *text_to_ascii(const char *text, char *out, size_t cap);

#endif
