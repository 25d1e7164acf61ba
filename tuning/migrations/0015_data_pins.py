"""When a host's data were looked at; fingerprints of the old kind, which left targets out, are forgotten."""

from django.db import migrations, models


def forget(apps, schema_editor):
    """Studies of PyTorch workloads are pinned anew by the next count or trial; programs keep theirs."""
    Workload = apps.get_model("tuning", "Workload")
    names = [row.name for row in Workload.objects.all() if (row.document or {}).get("kind") == "pytorch"]
    apps.get_model("tuning", "Study").objects.filter(workload__in=names).update(data_digest="")
    apps.get_model("tuning", "Offering").objects.filter(workload__in=names).update(data_digest="", data_error="")


class Migration(migrations.Migration):
    dependencies = [("tuning", "0014_failed_in_a_row")]

    operations = [
        migrations.AddField("offering", "counted", models.DateTimeField(null=True)),
        migrations.RunPython(forget, migrations.RunPython.noop),
    ]
