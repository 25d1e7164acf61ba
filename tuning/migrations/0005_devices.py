"""Why a device takes no work, and how busy an attempt kept its device."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tuning", "0004_control")]

    operations = [
        migrations.AddField("device", "unavailable", models.CharField(blank=True, default="", max_length=300), preserve_default=False),
        migrations.AddField("attempt", "utilisation", models.FloatField(null=True)),
    ]
