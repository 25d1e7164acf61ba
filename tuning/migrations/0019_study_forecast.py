"""What a study was predicted to take; those that have started before are held to nothing."""

from django.db import migrations

import tuning.models.fields


class Migration(migrations.Migration):
    dependencies = [("tuning", "0018_constraints")]

    operations = [migrations.AddField("study", "forecast", tuning.models.fields.JSONTextField(default=dict))]
