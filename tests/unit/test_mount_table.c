/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <sys/sysmacros.h>

#include "mount/table.h"

/* As the kernel writes it: an overlay root, mounts upon mounts, escapes, optional fields. */
static const char sample[] =
    "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
    "21 20 0:5 / /proc rw,nosuid shared:2 master:1 - proc proc rw\n"
    "30 20 8:17 / /data/x rw,noatime - ext4 /dev/sdb1 ro\n"
    "31 30 8:33 / /data/x rw - xfs /dev/sdc1 rw\n"
    "32 31 0:40 / /data/x/inner rw - tmpfs in\\040ner rw\n"
    "33 20 8:17 /sub\\134dir /data/a\\040b\\011c\\012d rw - ext4 /dev/sdb1 rw\n"
    "34 20 0:50 / /datax rw - fuse.glusterfs srv:/vol rw,user_id=0\n"
    "40 20 0:60 / /outer/hidden rw - tmpfs below rw\n"
    "41 20 0:61 / /outer rw - tmpfs above rw\n";

static struct ra_mount_table *parse(const char *text)
{
    struct ra_mount_table *table = NULL;
    struct ra_error err = { 0 };

    if (ra_mount_table_parse(text, &table, &err) != 0)
        fail_msg("%s", err.text);
    return table;
}

static int visible_id(const struct ra_mount_table *table, const char *path)
{
    const struct ra_mount_entry *entry = ra_mount_table_visible(table, path);

    return entry != NULL ? entry->id : 0;
}

static void fields_are_taken_apart(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = parse(sample);
    const struct ra_mount_entry *entry = ra_mount_table_at(table, 5);

    (void)state;
    assert_int_equal(ra_mount_table_count(table), 9);
    assert_null(ra_mount_table_at(table, 9));
    assert_int_equal(entry->id, 33);
    assert_int_equal(entry->parent_id, 20);
    assert_true(entry->devno == makedev(8, 17));
    assert_string_equal(entry->root, "/sub\\dir");
    assert_string_equal(entry->target, "/data/a b\tc\nd");
    assert_string_equal(entry->fstype, "ext4");
    assert_string_equal(entry->source, "/dev/sdb1");
    assert_string_equal(ra_mount_table_at(table, 4)->source, "in ner");
    assert_string_equal(ra_mount_table_at(table, 2)->vfs_options, "rw,noatime");
    assert_string_equal(ra_mount_table_at(table, 2)->fs_options, "ro");
}

static void the_topmost_mount_is_visible(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = parse(sample);

    (void)state;
    assert_int_equal(visible_id(table, "/data/x"), 31);
    assert_int_equal(visible_id(table, "/data/x/file"), 31);
    assert_int_equal(visible_id(table, "/data/x/inner"), 32);
    assert_int_equal(visible_id(table, "/data/xy"), 20);
    assert_int_equal(visible_id(table, "/datax"), 34);
    assert_int_equal(visible_id(table, "/"), 20);
    assert_int_equal(visible_id(table, "/data/a b\tc\nd/deep"), 33);
    /* Mounted first, then hidden together with its directory. */
    assert_int_equal(visible_id(table, "/outer/hidden"), 41);
}

static void mounts_know_what_they_lie_upon(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = parse(sample);
    const struct ra_mount_entry *root = ra_mount_table_at(table, 0);
    const struct ra_mount_entry *lower = ra_mount_table_at(table, 2);
    const struct ra_mount_entry *inner = ra_mount_table_at(table, 4);

    (void)state;
    assert_null(ra_mount_table_parent(table, root));
    assert_true(ra_mount_table_is_above(table, inner, lower));
    assert_true(ra_mount_table_is_above(table, inner, root));
    assert_false(ra_mount_table_is_above(table, lower, inner));
    assert_false(ra_mount_table_is_above(table, lower, lower));
}

static void a_table_without_a_root_mount_works(void **state)
{
    /* In a chroot the parents of what is seen are not. */
    ra_auto_mount_table struct ra_mount_table *table =
        parse("50 49 0:7 / /a rw - tmpfs one rw\n51 48 0:8 / /a/b rw - tmpfs two rw\n");

    (void)state;
    assert_int_equal(visible_id(table, "/a"), 50);
    assert_int_equal(visible_id(table, "/"), 0);
}

static void a_root_that_is_its_own_parent_works(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table =
        parse("1 1 0:1 / / rw - rootfs rootfs rw\n22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");

    (void)state;
    assert_int_equal(visible_id(table, "/etc"), 22);
}

static void a_loop_of_parents_does_not_hang(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table =
        parse("5 6 0:1 / /a rw - tmpfs a rw\n6 5 0:2 / /a rw - tmpfs b rw\n");
    const struct ra_mount_entry *first = ra_mount_table_at(table, 0);
    const struct ra_mount_entry other = { .id = 99 };

    (void)state;
    assert_false(ra_mount_table_is_above(table, first, &other));
    assert_int_equal(visible_id(table, "/a"), 0);
}

static void nonsense_is_refused(void **state)
{
    static const char *const texts[] = {
        "this is no mount table\n",
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 20 8:17\n",
        "/dev/sda1 / ext4 rw 0 0\n",
    };
    struct ra_mount_table *table = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ra_error err = { 0 };

        assert_int_equal(ra_mount_table_parse(texts[i], &table, &err), -1);
        assert_int_equal(err.kind, RA_ERROR_PROTOCOL);
        assert_null(table);
    }
}

static void a_source_can_be_empty(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = parse("30 20 0:9 / /e rw - tmpfs  ro\n");

    (void)state;
    assert_string_equal(ra_mount_table_at(table, 0)->source, "");
    assert_string_equal(ra_mount_table_at(table, 0)->fs_options, "ro");
}

static void an_empty_table_is_empty(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = parse("");

    (void)state;
    assert_int_equal(ra_mount_table_count(table), 0);
    assert_null(ra_mount_table_visible(table, "/"));
}

static void the_kernels_table_can_be_read(void **state)
{
    ra_auto_mount_table struct ra_mount_table *table = NULL;
    struct ra_error err = { 0 };

    (void)state;
    assert_int_equal(ra_mount_table_read(NULL, &table, &err), 0);
    assert_string_equal(ra_mount_table_visible(table, "/proc/self")->fstype, "proc");
    assert_int_equal(ra_mount_table_read("/nowhere/mountinfo", &table, &err), -1);
    assert_contains(err.text, "/nowhere/mountinfo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_taken_apart),
        cmocka_unit_test(the_topmost_mount_is_visible),
        cmocka_unit_test(mounts_know_what_they_lie_upon),
        cmocka_unit_test(a_table_without_a_root_mount_works),
        cmocka_unit_test(a_root_that_is_its_own_parent_works),
        cmocka_unit_test(a_loop_of_parents_does_not_hang),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_source_can_be_empty),
        cmocka_unit_test(an_empty_table_is_empty),
        cmocka_unit_test(the_kernels_table_can_be_read),
    };

    return cmocka_run_group_tests_name("mount table", tests, NULL, NULL);
}
