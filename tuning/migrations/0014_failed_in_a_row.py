"""How many trials of a study have failed in a row: at ten the study is paused. What failed before counts no more."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("tuning", "0013_trial_turn"),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="failed_in_a_row",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
