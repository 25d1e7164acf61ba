"""Limits on a study's model, and how many of its trials were above them before they trained anything."""

from django.db import migrations, models

import tuning.models.fields


class Migration(migrations.Migration):

    dependencies = [
        ("tuning", "0017_rung_marks"),
    ]

    operations = [
        migrations.AddField(
            model_name="study",
            name="constraints",
            field=tuning.models.fields.JSONTextField(default=dict),
        ),
        migrations.AddField(
            model_name="study",
            name="n_infeasible",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="study",
            name="infeasible_in_a_row",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
