"""The best trial that waits at each rung, so that a decision does not look for it rung by rung."""

from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def find(apps, schema_editor):
    Rung, RungEntry = apps.get_model("tuning", "Rung"), apps.get_model("tuning", "RungEntry")
    waiting = RungEntry.objects.filter(cohort=OuterRef("cohort"), rung=OuterRef("number"), state="reached")
    first = waiting.filter(loss__isnull=False).order_by("loss", "number")
    Rung.objects.update(
        best_number=Subquery(first.values("number")[:1]), best_loss=Subquery(first.values("loss")[:1])
    )


class Migration(migrations.Migration):

    dependencies = [
        ("tuning", "0011_steps_settled"),
    ]

    operations = [
        migrations.AddField(
            model_name="rung",
            name="best_number",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="rung",
            name="best_loss",
            field=models.FloatField(null=True),
        ),
        migrations.RunPython(find, migrations.RunPython.noop),
    ]
