/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "virt/xml.h"

#define UUID "11111111-2222-4333-8444-abcdefabcdef"

static struct ra_virt_xml *parse(const char *text)
{
    struct ra_virt_xml *xml = NULL;
    struct ra_error err = { 0 };

    if (ra_virt_xml_parse(text, "text", &xml, &err) != 0)
        fail_msg("%s", err.text);
    return xml;
}

static void assert_refused(const char *text, const char *part)
{
    struct ra_virt_xml *xml = NULL;
    struct ra_error err = { 0 };

    assert_int_equal(ra_virt_xml_parse(text, "file.xml", &xml, &err), -1);
    assert_int_equal(err.kind, RA_ERROR_CONFIG);
    assert_contains(err.text, "file.xml");
    assert_contains(err.text, part);
    assert_null(xml);
}

static void name_is_that_of_the_domain_alone(void **state)
{
    struct ra_virt_xml *xml =
        parse("<!-- <name>no</name> --><domain type='qemu'><devices><name>no</name></devices>"
              "<name>a &amp; b</name><metadata><x:name xmlns:x='urn:x'>no</x:name></metadata>"
              "</domain>");

    (void)state;
    assert_string_equal(xml->name, "a & b");
    assert_null(xml->uuid);
    ra_virt_xml_free(xml);
}

static void uuid_is_normalised(void **state)
{
    static const char *const forms[] = { UUID, "11111111222243338444ABCDEFABCDEF",
                                         " 1111-1111-2222-4333-8444-ABCDEFabcdef\n" };

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char text[200];
        struct ra_virt_xml *xml;

        (void)snprintf(text, sizeof(text), "<domain><name>x</name><uuid>%s</uuid></domain>",
                       forms[i]);
        xml = parse(text);
        assert_string_equal(xml->uuid, UUID);
        ra_virt_xml_free(xml);
    }
}

static void what_is_no_domain_is_refused(void **state)
{
    (void)state;
    assert_refused("", "not well-formed");
    assert_refused("<domain><name>x</domain>", "not well-formed");
    assert_refused("<network><name>x</name></network>", "<network>");
    assert_refused("<domain/>", "no <name>");
    assert_refused("<domain><name/></domain>", "no <name>");
    assert_refused("<domain><name>a</name><name>b</name></domain>", "more than one <name>");
    assert_refused("<domain><name>a/b</name></domain>", "slash");
    assert_refused("<domain><name>a</name><uuid>1234</uuid></domain>", "<uuid>");
    assert_refused("<domain><name>a</name><uuid>" UUID "</uuid><uuid>" UUID "</uuid></domain>",
                   "<uuid>");
    assert_refused("<domain><name>a</name><uuid>" UUID "0</uuid></domain>", "<uuid>");
}

static void no_entity_is_resolved(void **state)
{
    (void)state;
    assert_refused("<!DOCTYPE domain [<!ENTITY n SYSTEM 'file:///etc/hostname'>]>"
                   "<domain><name>&n;</name></domain>",
                   "document type");
    assert_refused("<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
                   "<domain><name>&b;</name></domain>",
                   "document type");
}

static void a_uuid_is_put_in_once(void **state)
{
    struct ra_virt_xml *xml = parse("<domain><name>x</name></domain>");
    struct ra_virt_xml *again;
    struct ra_error err;

    (void)state;
    assert_int_equal(ra_virt_xml_set_uuid(xml, UUID, &err), 0);
    assert_string_equal(xml->uuid, UUID);
    again = parse(xml->text);
    assert_string_equal(again->uuid, UUID);
    assert_string_equal(again->name, "x");
    ra_virt_xml_free(again);
    ra_virt_xml_free(xml);
}

static bool share(const char *one, const char *other)
{
    char text[2][600];
    struct ra_virt_xml *xml[2];
    bool result;

    (void)snprintf(text[0], sizeof(text[0]), "<domain><name>x</name><devices>%s</devices></domain>",
                   one);
    (void)snprintf(text[1], sizeof(text[1]), "<domain><name>y</name><devices>%s</devices></domain>",
                   other);
    xml[0] = parse(text[0]);
    xml[1] = parse(text[1]);
    result = ra_virt_xml_shares_disk(xml[0], xml[1]);
    ra_virt_xml_free(xml[0]);
    ra_virt_xml_free(xml[1]);
    return result;
}

#define DISK(source)        "<disk device='disk'><source " source "/></disk>"
#define CDROM(source)       "<disk device='cdrom'><source " source "/></disk>"
#define READONLY(source)    "<disk><source " source "/><readonly/></disk>"
#define NETWORK(name, host) "<disk><source protocol='rbd' name='" name "'>" host "</source></disk>"

static void a_disk_is_shared_if_both_write_to_it(void **state)
{
    (void)state;
    assert_true(share(DISK("file='/a'") DISK("file='/b'"), DISK("file='/b'")));
    assert_true(share(DISK("dev='/dev/vg/a'"), DISK("dev='/dev/vg/a' index='1'")));
    assert_true(share(NETWORK("pool/a", ""), NETWORK("pool/a", "<host name='mon'/>")));
    assert_false(share(DISK("file='/a'"), DISK("file='/b'")));
    assert_false(share(DISK("file='/a'"), DISK("dev='/a'")));
    assert_false(share(CDROM("file='/a'"), CDROM("file='/a'")));
    assert_false(share(READONLY("file='/a'"), READONLY("file='/a'")));
    assert_false(share(DISK(""), DISK("")));
    assert_false(share("", ""));
}

/* The last place of `word` in `text`. */
static const char *last_place(const char *text, const char *word)
{
    const char *last = NULL;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        last = at;
    return last;
}

#define OWN_UUID "<uuid>11111111-2222-4333-8444-555555555555</uuid>"

static void the_mark_is_put_in_once_and_keeps_what_is_there(void **state)
{
    static const char *const documents[] = {
        "<domain>" OWN_UUID "<name>x</name></domain>",
        "<domain>" OWN_UUID "<name>x</name><metadata/></domain>",
        "<domain>" OWN_UUID
        "<name>x</name><metadata><a:b xmlns:a='urn:a'>kept</a:b></metadata></domain>",
        "<domain>" OWN_UUID
        "<name>x</name><metadata><z:resource xmlns:z='urn:native-agents:resource' "
        "id='old'/>"
        "<a:b xmlns:a='urn:a'>kept</a:b></metadata></domain>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct ra_virt_xml *xml = NULL;
        struct ra_error err;

        assert_int_equal(ra_virt_xml_parse(documents[i], "text", &xml, &err), 0);
        assert_int_equal(ra_virt_xml_set_mark(xml, "a<\"b", &err), 0);
        assert_int_equal(ra_virt_xml_set_mark(xml, "a<\"c", &err), 0);
        assert_contains(xml->text, "<native:resource xmlns:native=\"urn:native-agents:resource\" "
                                   "id=\"a&lt;&quot;c\" "
                                   "uuid=\"11111111-2222-4333-8444-555555555555\"/>");
        assert_null(strstr(xml->text, "a&lt;&quot;b"));
        assert_null(strstr(xml->text, "old"));
        assert_ptr_equal(strstr(xml->text, "<metadata"), last_place(xml->text, "<metadata"));
        assert_int_equal(strstr(xml->text, "kept") != NULL, i >= 2);
        ra_virt_xml_free(xml);
    }
}

static void a_mark_is_read_back_on_its_own_domain(void **state)
{
    static const char uuid[] = "11111111-2222-4333-8444-555555555555";
    static const char *const no_marks[] = {
        "",
        "<resource/>",
        "<resource id='web'/>",
        "<resource id='' uuid='11111111-2222-4333-8444-555555555555'/>",
        "<resource id='web' uuid='11111111-2222-4333-8444-555555555556'/>",
        "<other id='x' uuid='11111111-2222-4333-8444-555555555555'/>",
        "resource",
        "<resource id='x'",
    };
    char *element = ra_virt_xml_make_mark("a<&\">b", uuid);
    char *resource = ra_virt_xml_read_mark(element, uuid);

    (void)state;
    assert_string_equal(resource, "a<&\">b");
    free(resource);
    free(element);
    for (size_t i = 0; i < sizeof(no_marks) / sizeof(no_marks[0]); i++)
        assert_null(ra_virt_xml_read_mark(no_marks[i], uuid));
}

#define STATUS(mark)                                                                               \
    "<domstatus state='running'><monitor/><domain type='qemu' id='1'><name>x</name>" OWN_UUID      \
    "<metadata>" mark "</metadata><name2/></domain></domstatus>"
#define MARK(id, bound)                                                                            \
    "<n:resource xmlns:n='urn:native-agents:resource' id='" id "' uuid='" bound "'/>"

static void a_status_file_tells_of_the_mark(void **state)
{
    static const struct {
        const char *text;
        int result;
        bool marked;
    } cases[] = {
        { STATUS(MARK("web", "11111111-2222-4333-8444-555555555555")), 0, true },
        { STATUS(MARK("db", "11111111-2222-4333-8444-555555555555")), 0, false },
        { STATUS(MARK("web", "21111111-2222-4333-8444-555555555555")), 0, false },
        { STATUS("<n:resource xmlns:n='urn:x' id='web'/>"), 0, false },
        { "<domstatus><domain>" OWN_UUID "<name>x</name></domain></domstatus>", 0, false },
        { "<domstatus/>", -1, false },
        { "<domain><name>x</name></domain>", -1, false },
        { "<domstatus><dom", -1, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *name = NULL;
        char *uuid = NULL;
        bool marked = false;
        struct ra_error err;

        assert_int_equal(
            ra_virt_xml_read_status(cases[i].text, "text", "web", &marked, &name, &uuid, &err),
            cases[i].result);
        assert_int_equal(marked, cases[i].marked);
        assert_int_equal(name != NULL, marked);
        if (marked) {
            assert_string_equal(name, "x");
            assert_string_equal(uuid, "11111111-2222-4333-8444-555555555555");
        }
        free(name);
        free(uuid);
    }
}

static void a_file_is_read_within_the_deadline(void **state)
{
    char path[] = "/tmp/test_virt_xml.XXXXXX";
    static const char text[] = "<domain><name>x</name></domain>";
    struct ra_virt_xml *xml = NULL;
    struct ra_error err;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    (void)close(fd);
    assert_int_equal(ra_virt_xml_read(path, ra_deadline_after_ms(5000), &xml, &err), 0);
    assert_string_equal(xml->name, "x");
    ra_virt_xml_free(xml);
    xml = NULL;
    (void)unlink(path);
    assert_int_equal(ra_virt_xml_read(path, ra_deadline_after_ms(5000), &xml, &err), -1);
    assert_contains(err.text, path);
    /* A fifo without a writer would block a plain open. */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ra_virt_xml_read(path, ra_deadline_after_ms(5000), &xml, &err), -1);
    assert_contains(err.text, "not a regular file");
    assert_null(xml);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_is_that_of_the_domain_alone),
        cmocka_unit_test(uuid_is_normalised),
        cmocka_unit_test(what_is_no_domain_is_refused),
        cmocka_unit_test(no_entity_is_resolved),
        cmocka_unit_test(a_uuid_is_put_in_once),
        cmocka_unit_test(a_disk_is_shared_if_both_write_to_it),
        cmocka_unit_test(the_mark_is_put_in_once_and_keeps_what_is_there),
        cmocka_unit_test(a_mark_is_read_back_on_its_own_domain),
        cmocka_unit_test(a_status_file_tells_of_the_mark),
        cmocka_unit_test(a_file_is_read_within_the_deadline),
    };

    return cmocka_run_group_tests_name("virt_xml", tests, NULL, NULL);
}
