// SPDX-License-Identifier: MIT
/* cases_response.h – responses as good, careless and hostile servers send them.
 *
 * Holds      response_cases, all of them answers to GET.
 * Invariant  every row says how many responses are seen and why reading stops.
 * Called by  test_parse_response.c, test_llhttp_oracle.c.
 * Why        a client that reads a response in its own way can be fed the answer to another
 *            request: each class gets one reading.
 * Quirks     POISON stands where a lax reader would find a second response.
 */
#ifndef HTTP_CASES_RESPONSE_H
#define HTTP_CASES_RESPONSE_H

#include "cases.h"

#define POISON "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
#define OK "HTTP/1.1 200 OK\r\n"
#define OK_CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct wire_case response_cases[] = {
    // Good ones
    CASE("CL", OK "Content-Length: 3\r\n\r\nabc", 1, HTTP_ERROR_NONE),
    CASE("two in a row", OK "Content-Length: 3\r\n\r\nabc" POISON, 2, HTTP_ERROR_NONE),
    CASE("CL 0", OK "Content-Length: 0\r\n\r\n", 1, HTTP_ERROR_NONE),
    CASE("chunked", OK_CHUNKED "3\r\nabc\r\n0\r\n\r\n", 1, HTTP_ERROR_NONE),
    CASE("until close", OK "\r\nabc", 1, HTTP_ERROR_NONE),
    CASE("until close, empty", OK "\r\n", 1, HTTP_ERROR_NONE),
    CASE("until close takes all", OK "\r\nabc" POISON, 1, HTTP_ERROR_NONE),
    CASE("HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nabc", 1, HTTP_ERROR_NONE),
    CASE("HTTP/1.0 with CL closes", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc" POISON, 1,
         HTTP_ERROR_NONE),
    CASE("no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 1, HTTP_ERROR_NONE),
    CASE("no space after the code", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 1,
         HTTP_ERROR_NONE),
    CASE("reason with obs-text", "HTTP/1.1 404 nicht gef\xfcnden\r\nContent-Length: 0\r\n\r\n", 1,
         HTTP_ERROR_NONE),
    CASE("status 999", "HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n", 1, HTTP_ERROR_NONE),
    CASE("204", "HTTP/1.1 204 No Content\r\n\r\n" POISON, 2, HTTP_ERROR_NONE),
    CASE("204 with CL 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n" POISON, 2,
         HTTP_ERROR_NONE),
    CASE("204 with CL 3 closes", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc" POISON,
         1, HTTP_ERROR_NONE),
    CASE("204 with TE closes",
         "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1,
         HTTP_ERROR_NONE),
    CASE("304 with CL", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n" POISON, 2,
         HTTP_ERROR_NONE),
    CASE("100 first", "HTTP/1.1 100 Continue\r\n\r\n" POISON, 1, HTTP_ERROR_NONE),
    CASE("103 twice",
         "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
         "HTTP/1.1 103 Early Hints\r\n\r\n" POISON,
         1, HTTP_ERROR_NONE),
    CASE("101 ends HTTP",
         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
         "Connection: upgrade\r\n\r\n" POISON,
         1, HTTP_ERROR_NONE),
    CASE("close", OK "Connection: close\r\nContent-Length: 0\r\n\r\n" POISON, 1, HTTP_ERROR_NONE),
    CASE("fold", OK "X: a\r\n  b\r\n\tc\r\nContent-Length: 0\r\n\r\n", 1, HTTP_ERROR_NONE),
    CASE("fold that is blank", OK "X: a\r\n \r\nContent-Length: 0\r\n\r\n", 1, HTTP_ERROR_NONE),
    CASE("fold of Connection", OK "Connection:\r\n close\r\nContent-Length: 0\r\n\r\n" POISON, 0,
         HTTP_ERROR_FOLD),
    CASE("two Hosts mean nothing in a response",
         OK "Host: a\r\nHost: /\r\nContent-Length: 0\r\n\r\n", 1, HTTP_ERROR_NONE),

    CASE("Expect means nothing in a response", OK "Expect: x\r\nContent-Length: 0\r\n\r\n", 1,
         HTTP_ERROR_NONE),

    // Not HTTP
    CASE("SSH", "SSH-2.0-OpenSSH_9.2\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("half a word", "HTPP", 0, HTTP_ERROR_START_LINE),
    CASE("HTML", "<html>", 0, HTTP_ERROR_START_LINE),
    CASE("TLS alert", "\x15\x03\x03\x00\x02\x02\x46", 0, HTTP_ERROR_START_LINE),
    CASE("NULs", "\0\0\0\0\0\0", 0, HTTP_ERROR_START_LINE),
    CASE("empty line first", "\r\n" POISON, 0, HTTP_ERROR_START_LINE),
    CASE("space first", " " POISON, 0, HTTP_ERROR_START_LINE),
    CASE("a request", "GET / HTTP/1.1\r\n\r\n", 0, HTTP_ERROR_START_LINE),

    // Status line
    CASE("HTTP/2", "HTTP/2 200 OK\r\n\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", 0, HTTP_ERROR_VERSION),
    CASE("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", 0, HTTP_ERROR_VERSION),
    CASE("HTTP/0.9", "HTTP/0.9 200 OK\r\n\r\n", 0, HTTP_ERROR_VERSION),
    CASE("HTTP/1.10", "HTTP/1.10 200 OK\r\n\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("http in lower case", "http/1.1 200 OK\r\n\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("ICY", "ICY 200 OK\r\n\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("no code", "HTTP/1.1\r\n\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("blank code", "HTTP/1.1 \r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("two spaces before the code", "HTTP/1.1  200 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("tab before the code", "HTTP/1.1\t200 OK\r\n\r\n", 0, HTTP_ERROR_START_LINE),
    CASE("code of two digits", "HTTP/1.1 20 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code of four digits", "HTTP/1.1 2000 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code 000", "HTTP/1.1 000 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code 099", "HTTP/1.1 099 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code with sign", "HTTP/1.1 +20 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code of letters", "HTTP/1.1 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code hexadecimal", "HTTP/1.1 0x9 OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("code with reason glued on", "HTTP/1.1 200OK\r\n\r\n", 0, HTTP_ERROR_STATUS),
    CASE("CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", 0, HTTP_ERROR_BARE_CR),
    CASE("NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", 0, HTTP_ERROR_CONTROL_BYTE),
    CASE("status line ends in LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", 0,
         HTTP_ERROR_BARE_LF),

    // Fields
    CASE("all LF", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", 0, HTTP_ERROR_BARE_LF),
    CASE("LF as empty line", OK "Content-Length: 3\r\n\nabc", 0, HTTP_ERROR_BARE_LF),
    CASE("CR as empty line", OK "Content-Length: 3\r\n\rabc", 0, HTTP_ERROR_BARE_CR),
    CASE("NUL in a value", OK "X: \0\r\nContent-Length: 0\r\n\r\n", 0, HTTP_ERROR_CONTROL_BYTE),
    CASE("ESC in a value", OK "X: \033]0;x\007\r\n\r\n", 0, HTTP_ERROR_CONTROL_BYTE),
    CASE("space before colon", OK "Content-Length : 3\r\n\r\nabc", 0,
         HTTP_ERROR_SPACE_BEFORE_COLON),
    CASE("no colon", OK "X\r\n\r\n", 0, HTTP_ERROR_NO_COLON),
    CASE("no name", OK ": x\r\n\r\n", 0, HTTP_ERROR_FIELD_NAME),
    CASE("name with obs-text", OK "\xfc: x\r\n\r\n", 0, HTTP_ERROR_FIELD_NAME),
    CASE("fold of the status line", OK " X: a\r\n\r\n", 0, HTTP_ERROR_FIELD_NAME),
    CASE("fold of CL", OK "Content-Length: 3\r\n 3\r\n\r\nabc", 0, HTTP_ERROR_FOLD),
    CASE("fold of TE", OK "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 0, HTTP_ERROR_FOLD),

    // Framing
    CASE("TE before a tab", OK "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", 0,
         HTTP_ERROR_TRANSFER_ENCODING),
    CASE("CL and TE", OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
         HTTP_ERROR_LENGTH_AND_CHUNKED),
    CASE("TE in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0,
         HTTP_ERROR_CHUNKED_IN_1_0),
    CASE("TE identity", OK "Transfer-Encoding: identity\r\n\r\nabc", 0,
         HTTP_ERROR_TRANSFER_ENCODING),
    CASE("TE gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0,
         HTTP_ERROR_TRANSFER_ENCODING),
    CASE("TE chunked, chunked", OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 0,
         HTTP_ERROR_TRANSFER_ENCODING),
    CASE("TE ,chunked", OK "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 0,
         HTTP_ERROR_TRANSFER_ENCODING),
    CASE("TE twice",
         OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n",
         0, HTTP_ERROR_TRANSFER_ENCODINGS),
    CASE("CL empty", OK "Content-Length:\r\n\r\nabc", 0, HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL plus", OK "Content-Length: +3\r\n\r\nabc", 0, HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL minus", OK "Content-Length: -3\r\n\r\nabc", 0, HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL hexadecimal", OK "Content-Length: 0x3\r\n\r\nabc", 0, HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL 2^63", OK "Content-Length: 9223372036854775808\r\n\r\n", 0, HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL 2^64+3", OK "Content-Length: 18446744073709551619\r\n\r\nabc", 0,
         HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL list", OK "Content-Length: 3, 3\r\n\r\nabc", 0, HTTP_ERROR_CONTENT_LENGTH),
    CASE("CL twice, different", OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 0,
         HTTP_ERROR_CONTENT_LENGTHS),
    CASE("CL twice, equal", OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 0,
         HTTP_ERROR_CONTENT_LENGTHS),
    CASE("100 with TE and CL",
         "HTTP/1.1 100 C\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         0, HTTP_ERROR_LENGTH_AND_CHUNKED),

    // Chunks
    CASE("chunk size empty", OK_CHUNKED "\r\n\r\n", 0, HTTP_ERROR_CHUNK_SIZE),
    CASE("chunk size 0x", OK_CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", 0, HTTP_ERROR_CHUNK_SIZE),
    CASE("chunk size minus", OK_CHUNKED "-1\r\nabc\r\n0\r\n\r\n", 0, HTTP_ERROR_CHUNK_SIZE),
    CASE("chunk size too large", OK_CHUNKED "ffffffffffffffff\r\nabc", 0, HTTP_ERROR_CHUNK_SIZE),
    CASE("chunk size with LF", OK_CHUNKED "3\nabc\r\n0\r\n\r\n", 0, HTTP_ERROR_BARE_LF),
    CASE("chunk data without CRLF", OK_CHUNKED "3\r\nabc0\r\n\r\n", 0, HTTP_ERROR_CHUNK_END),
    CASE("chunk data with LF", OK_CHUNKED "3\r\nabc\n0\r\n\r\n", 0, HTTP_ERROR_CHUNK_END),
    CASE("bad trailer", OK_CHUNKED "0\r\nX\r\n\r\n", 0, HTTP_ERROR_TRAILER),

    // Ends too early
    CASE("nothing at all", "", 0, HTTP_ERROR_NONE),
    CASE("half a status line", "HTTP/1.1 2", 0, HTTP_ERROR_TRUNCATED),
    CASE("half a head", OK "Content-Length: 3\r\n", 0, HTTP_ERROR_TRUNCATED),
    CASE("half a body", OK "Content-Length: 3\r\n\r\nab", 0, HTTP_ERROR_TRUNCATED),
    CASE("half a chunk", OK_CHUNKED "3\r\nab", 0, HTTP_ERROR_TRUNCATED),
    CASE("no last chunk", OK_CHUNKED "3\r\nabc\r\n", 0, HTTP_ERROR_TRUNCATED),
    CASE("only an interim response", "HTTP/1.1 100 Continue\r\n\r\n", 0, HTTP_ERROR_TRUNCATED),

    // Bytes after the end
    CASE("excess byte", OK "Content-Length: 3\r\n\r\nabcd", 1, HTTP_ERROR_START_LINE),
    CASE("excess line", OK "Content-Length: 3\r\n\r\nabc\r\n", 1, HTTP_ERROR_START_LINE),
    CASE("excess after chunks", OK_CHUNKED "0\r\n\r\nX", 1, HTTP_ERROR_START_LINE),
    CASE("content after 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc", 1,
         HTTP_ERROR_START_LINE),
};

enum { RESPONSE_CASE_COUNT = sizeof response_cases / sizeof response_cases[0] };

#endif
