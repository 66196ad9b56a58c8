// SPDX-License-Identifier: MIT
/* url_public.c – see juggle/url.h.
 *
 * Holds      nothing.
 * Invariant  what url_parse() accepts fits into a jg_url.
 * Called by  user code, the command.
 * Why        url_parse() alone decides what a URL means; here it is only copied out.
 */
#include "base/check.h"
#include "http/url.h"
#include "rt/sched.h"

#include <juggle/url.h>

#include <errno.h>
#include <string.h>

_Static_assert((int)URL_HTTP == JG_URL_HTTP && (int)URL_HTTPS == JG_URL_HTTPS &&
                   (int)URL_HTTP_UNIX == JG_URL_HTTP_UNIX,
               "the schemes are the same");
_Static_assert((int)URL_HOST_MAX < JG_URL_HOST_SIZE && (int)URL_SOCKET_MAX < JG_URL_HOST_SIZE,
               "every host fits");

static void copy_host(const struct url *url, jg_url *out) {
    if (url->scheme == URL_HTTP_UNIX) {
        ssize_t length = url_socket_write(url, out->host, sizeof(out->host));
        must(length > 0);
        return;
    }
    must(url->host.len < sizeof(out->host));
    memcpy(out->host, url->host.data, url->host.len);
    size_t len = url->host.len;
    if (url->zone.len > 0) {
        out->host[len++] = '%';
        memcpy(out->host + len, url->zone.data, url->zone.len);
        len += url->zone.len;
    }
    out->host[len] = '\0';
}

int jg_url_parse(const char *text, jg_url *out_url, const char **out_reason) {
    struct url url;
    enum url_error error = URL_ERROR_NONE;
    if (url_parse(&url, bytes_of(text), &error) < 0) {
        if (out_reason != NULL) {
            *out_reason = url_error_text(error);
        }
        return (int)error_bare(-EINVAL);
    }
    out_url->scheme = (jg_url_scheme)url.scheme;
    out_url->port = url.port;
    copy_host(&url, out_url);
    ssize_t length = url_host_write(&url, out_url->authority, sizeof(out_url->authority) - 1);
    must(length > 0);
    out_url->authority[length] = '\0';
    out_url->path = url.path.data;
    out_url->path_size = url.path.len;
    out_url->query = url.query.data;
    out_url->query_size = url.query.len;
    return 0;
}
