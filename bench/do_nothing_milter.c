/* A milter that looks at nothing: what the protocol alone costs. cc -o m do_nothing_milter.c -lmilter -lpthread */
#include <libmilter/mfapi.h>
#include <stdio.h>

static sfsistat body(SMFICTX *ctx, unsigned char *chunk, size_t size)
{
    (void)ctx; (void)chunk; (void)size;
    return SMFIS_CONTINUE;
}

static sfsistat header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx; (void)name; (void)value;
    return SMFIS_CONTINUE;
}

static struct smfiDesc description = {
    .xxfi_name = "nothing",
    .xxfi_version = SMFI_VERSION,
    .xxfi_header = header,
    .xxfi_body = body,
};

int main(int count, char **words)
{
    if (count != 2 || smfi_setconn(words[1]) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS) {
        fprintf(stderr, "usage: %s unix:/socket | inet:port@127.0.0.1\n", words[0]);
        return 64;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 71;
}
