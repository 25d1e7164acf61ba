"""A counter of the steps of trials that rest or have ended, so that no decision within a budget adds up all trials."""

from django.db import migrations, models
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest


def count(apps, schema_editor):
    Study, Trial = apps.get_model("tuning", "Study"), apps.get_model("tuning", "Trial")
    settled = Trial.objects.filter(study=OuterRef("pk"), state__in=("PAUSED", "COMPLETE", "PRUNED", "FAILED"))
    sums = settled.order_by().values("study").annotate(steps=Sum(Greatest("resource_done", 1))).values("steps")
    Study.objects.update(steps_settled=Coalesce(Subquery(sums), 0))


class Migration(migrations.Migration):

    dependencies = [
        ("tuning", "0010_jobs"),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="steps_settled",
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
